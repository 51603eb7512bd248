// What a backtest or a sweep is to run on.

import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { call } from "./api/http";
import type { Dataset, StrategyInfo } from "./api/schema";
import { Dialog } from "./parts/Dialog";
import { Fetched, together } from "./parts/Fetched";
import { Field, Select } from "./parts/Field";
import { SchemaForm, paramsOf, valuesOf, type Values } from "./parts/SchemaForm";
import { useAct } from "./parts/useAct";

const INVENTED = "invented";

interface Props {
  kind: "backtest" | "sweep";
  close: () => void;
}

export function NewRun({ kind, close }: Props): ReactNode {
  const strategies = useQuery({
    queryKey: ["strategies"],
    queryFn: () => call("GET /api/v1/strategies", {}),
    staleTime: 60_000,
  });
  const datasets = useQuery({
    queryKey: ["datasets"],
    queryFn: () => call("GET /api/v1/datasets", {}),
    staleTime: 60_000,
  });
  return (
    <Dialog title={kind === "backtest" ? "New backtest" : "New sweep"} close={close}>
      <Fetched what="strategies and data" from={together([strategies, datasets])}>
        {([known, there]) => (
          <Form kind={kind} close={close} strategies={known.items} datasets={there.items} />
        )}
      </Fetched>
    </Dialog>
  );
}

interface FormProps extends Props {
  strategies: readonly StrategyInfo[];
  datasets: readonly Dataset[];
}

function Form({ kind, close, strategies, datasets }: FormProps): ReactNode {
  const { busy, act } = useAct();
  const [chosen, setChosen] = useState("");
  const [values, setValues] = useState<Values | null>(null);
  const [data, setData] = useState("");
  const [cash, setCash] = useState("10000");
  const [fee, setFee] = useState("10");
  const [slippage, setSlippage] = useState("0");
  const [trials, setTrials] = useState("50");
  const [folds, setFolds] = useState("0");
  const strategy = strategies.find((one) => one.name === chosen) ?? strategies[0];
  const schema = strategy?.parameters ?? {};
  const shown = values ?? valuesOf(schema);
  const sets = [
    ...datasets
      .filter((one) => one.name !== INVENTED)
      .map((one) => [one.name, `${one.symbol}, ${one.timeframe}, ${one.first.slice(0, 10)} to ${one.last.slice(0, 10)}`] as const),
    [INVENTED, "an invented market"] as const,
  ];
  const named = data || (sets[0]?.[0] ?? INVENTED);
  const shared = {
    strategy: strategy?.name ?? "",
    data: [named],
    cash,
    fee_bps: fee,
    slippage_bps: slippage,
  };
  const run = async (): Promise<void> => {
    const done = await act(async () => {
      if (kind === "backtest") {
        await call("POST /api/v1/backtests", { body: { ...shared, params: paramsOf(schema, shown) } });
      } else {
        await call("POST /api/v1/sweeps", {
          body: { ...shared, trials: Number(trials), walk_forward: Number(folds) },
        });
      }
      return "Asked for. It runs in the background.";
    });
    if (done) close();
  };
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        void run();
      }}
    >
      <div className="form two">
        <Select
          label="Strategy"
          value={strategy?.name ?? ""}
          set={(next) => {
            setChosen(next);
            setValues(null);
          }}
          options={strategies.map((one) => [one.name, one.name] as const)}
          hint={strategy?.about}
        />
        <Select label="Data" value={named} set={setData} options={sets} hint="Bars on this machine." />
        <Field label="Cash" value={cash} set={setCash} inputMode="decimal" required />
        <Field label="Fee" unit="bps" value={fee} set={setFee} inputMode="decimal" required />
        <Field
          label="Slippage"
          unit="bps"
          value={slippage}
          set={setSlippage}
          inputMode="decimal"
          required
        />
        {kind === "sweep" && (
          <>
            <Field label="Trials" value={trials} set={setTrials} inputMode="numeric" required />
            <Field
              label="Folds"
              hint="Walk forward in so many; 0 searches over all of it."
              value={folds}
              set={setFolds}
              inputMode="numeric"
              required
            />
          </>
        )}
      </div>
      {kind === "backtest" && (
        <>
          <h3>Parameters</h3>
          <SchemaForm schema={schema} values={shown} set={setValues} />
        </>
      )}
      <div className="form-end">
        <button type="button" onClick={close}>
          Cancel
        </button>
        <button type="submit" className="primary" disabled={busy}>
          {busy ? "Asking …" : kind === "backtest" ? "Run the backtest" : "Run the sweep"}
        </button>
      </div>
    </form>
  );
}

