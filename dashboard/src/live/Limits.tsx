// Limits: as they are in force, and a form to set those of an account.

import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { decimal } from "../format";
import { call } from "./api/http";
import type { LimitsIn, LimitsOut } from "./api/schema";
import { WAIT, said } from "./commands";
import { Unit } from "./parts/Amount";
import { Dialog } from "./parts/Dialog";
import { Fetched } from "./parts/Fetched";
import { Field } from "./parts/Field";
import { useAct } from "./parts/useAct";

type Name = Exclude<keyof LimitsOut, "symbols">;

interface Limit {
  name: Name;
  label: string;
  unit: "quote" | "%" | "";
  counts: boolean;
  hint: string;
}

export const LIMITS: readonly Limit[] = [
  { name: "max_order_notional", label: "One order", unit: "quote", counts: false, hint: "Worth at most." },
  { name: "max_position_notional", label: "One position", unit: "quote", counts: false, hint: "Worth at most, per symbol." },
  { name: "max_open_orders", label: "Open orders", unit: "", counts: true, hint: "Resting or on their way." },
  { name: "max_orders_per_minute", label: "Orders per minute", unit: "", counts: true, hint: "Armed in any 60 s." },
  { name: "price_band_pct", label: "Price band", unit: "%", counts: false, hint: "How far on the losing side of the market a limit price may lie." },
  { name: "max_daily_loss", label: "Loss of a day", unit: "quote", counts: false, hint: "Since 00:00 UTC; beyond it nothing is opened." },
  { name: "max_drawdown_pct", label: "Drawdown", unit: "%", counts: false, hint: "Below the peak; beyond it trading halts." },
];

export function LimitFacts({ limits, quote }: { limits: LimitsOut; quote: string }): ReactNode {
  return (
    <dl className="facts">
      {LIMITS.map(({ name, label, unit }) => (
        <Fact key={name} label={label} value={limits[name]} unit={unit === "quote" ? quote : unit} />
      ))}
      <dt>Markets</dt>
      <dd>{(limits.symbols ?? []).join(", ") || "all"}</dd>
    </dl>
  );
}

function Fact(props: {
  label: string;
  value: string | number | null | undefined;
  unit: string;
}): ReactNode {
  const { label, value, unit } = props;
  return (
    <>
      <dt>{label}</dt>
      <dd>
        {value === null || value === undefined ? (
          <span className="muted">no limit</span>
        ) : (
          <>
            {decimal(String(value))}
            {unit !== "" && <Unit>{unit}</Unit>}
          </>
        )}
      </dd>
    </>
  );
}

/** A dialog with an account's limits, to change them. */
export function EditLimits({ account, close }: { account: string; close: () => void }): ReactNode {
  const detail = useQuery({
    queryKey: ["account", account],
    queryFn: () => call("GET /api/v1/accounts/{account}", { path: { account } }),
    staleTime: 0,
  });
  return (
    <Dialog title={`Limits of ${account}`} close={close}>
      <Fetched what="limits" from={detail}>
        {({ config_version, account: { reporting }, limits }) => (
          <Form
            key={config_version}
            account={account}
            version={config_version}
            quote={reporting}
            limits={limits}
            close={close}
          />
        )}
      </Fetched>
    </Dialog>
  );
}

interface FormProps {
  account: string;
  version: number;
  quote: string;
  limits: LimitsOut;
  close: () => void;
}

function Form({ account, version, quote, limits, close }: FormProps): ReactNode {
  const { busy, act } = useAct();
  const [values, setValues] = useState<Record<string, string>>(() => ({
    ...Object.fromEntries(LIMITS.map(({ name }) => [name, String(limits[name] ?? "")])),
    symbols: (limits.symbols ?? []).join(", "),
  }));
  const set = (name: string) => (value: string) => setValues({ ...values, [name]: value });
  const save = async (): Promise<void> => {
    const done = await act(async () =>
      said(`The limits of ${account}`, [
        await call("PUT /api/v1/accounts/{account}/limits", {
          path: { account },
          query: WAIT,
          ifMatch: `"v${version}"`,
          body: limitsOf(values),
        }),
      ]),
    );
    if (done) close();
  };
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <p className="muted">An empty field is no limit. Raising one asks again who you are.</p>
      <div className="form two">
        {LIMITS.map(({ name, label, unit, counts, hint }) => (
          <Field
            key={name}
            label={label}
            unit={unit === "quote" ? quote : unit || undefined}
            inputMode={counts ? "numeric" : "decimal"}
            pattern={counts ? "[0-9]*" : "[0-9]*\\.?[0-9]*"}
            value={values[name] ?? ""}
            set={set(name)}
            hint={hint}
          />
        ))}
        <Field
          label="Markets"
          value={values.symbols ?? ""}
          set={set("symbols")}
          hint="The only ones allowed; empty allows all."
        />
      </div>
      <div className="form-end">
        <button type="button" onClick={close}>
          Cancel
        </button>
        <button type="submit" className="primary" disabled={busy}>
          {busy ? "Saving …" : "Save"}
        </button>
      </div>
    </form>
  );
}

/** Fields as the API wants them: whole, with null for no limit. */
function limitsOf(values: Record<string, string>): LimitsIn {
  const found: Record<string, unknown> = {};
  for (const { name, counts } of LIMITS) {
    const text = (values[name] ?? "").trim();
    found[name] = text === "" ? null : counts ? Number(text) : text;
  }
  found.symbols = (values.symbols ?? "").split(/[\s,]+/).filter((symbol) => symbol !== "");
  return found as LimitsIn;
}
