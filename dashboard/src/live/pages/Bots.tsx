// All bots, and a new one.

import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { useLocation } from "wouter";
import { BotTable } from "../BotTable";
import { call } from "../api/http";
import { useSession } from "../api/session";
import { WAIT, said } from "../commands";
import { Card, PageHead } from "../parts/Card";
import { Dialog } from "../parts/Dialog";
import { Fetched } from "../parts/Fetched";
import { Field, Select } from "../parts/Field";
import { SchemaForm, paramsOf, valuesOf, type Values } from "../parts/SchemaForm";
import { useAct } from "../parts/useAct";
import type { StrategyInfo } from "../api/schema";
import { useLive } from "../stream/store";
import { botPath } from "../words";

export default function Bots(): ReactNode {
  const session = useSession();
  const [creates, setCreates] = useState(false);
  const may = session.phase === "in" && session.me.scopes.includes("trade");
  return (
    <>
      <PageHead title="Bots">
        {may && (
          <button type="button" className="primary" onClick={() => setCreates(true)}>
            New bot …
          </button>
        )}
      </PageHead>
      <Card title="All bots">
        <BotTable />
      </Card>
      {creates && <NewBot close={() => setCreates(false)} />}
    </>
  );
}

function NewBot({ close }: { close: () => void }): ReactNode {
  const strategies = useQuery({
    queryKey: ["strategies"],
    queryFn: () => call("GET /api/v1/strategies", {}),
    staleTime: 60_000,
  });
  return (
    <Dialog title="New bot" close={close}>
      <Fetched what="strategies" from={strategies}>
        {({ items }) => <NewBotForm strategies={items} close={close} />}
      </Fetched>
    </Dialog>
  );
}

interface FormProps {
  strategies: readonly StrategyInfo[];
  close: () => void;
}

function NewBotForm({ strategies, close }: FormProps): ReactNode {
  const accounts = useLive((live) => live.overview?.accounts ?? NONE);
  const [, go] = useLocation();
  const { busy, act } = useAct();
  const [account, setAccount] = useState(accounts[0]?.name ?? "");
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState("");
  const [symbols, setSymbols] = useState("BTC/USDT");
  const [timeframe, setTimeframe] = useState("1m");
  const [values, setValues] = useState<Values | null>(null);
  const strategy = strategies.find((one) => one.name === chosen) ?? strategies[0];
  const schema = strategy?.parameters ?? {};
  const shown = values ?? valuesOf(schema);
  const create = async (): Promise<void> => {
    const done = await act(async () => {
      const command = await call("POST /api/v1/accounts/{account}/bots", {
        path: { account },
        query: WAIT,
        body: {
          name,
          strategy: strategy?.name ?? "",
          symbols: symbols.split(/[\s,]+/).filter((symbol) => symbol !== ""),
          timeframe,
          params: paramsOf(schema, shown),
        },
      });
      return said(`New bot ${name}`, [command]);
    });
    if (!done) return;
    close();
    go(botPath({ account, name }));
  };
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        void create();
      }}
    >
      <div className="form two">
        <Field
          label="Name"
          value={name}
          set={setName}
          pattern="[a-z0-9][a-z0-9_\-]{0,31}"
          title="Small letters, digits, - and _"
          hint="Its identity in the journal: it stays."
          required
          autoFocus
        />
        <Select
          label="Account"
          value={account}
          set={setAccount}
          options={accounts.map((one) => [one.name, one.name] as const)}
        />
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
        <Field
          label="Markets"
          value={symbols}
          set={setSymbols}
          hint="Several with commas; paid in one asset."
          required
        />
        <Field
          label="Bars"
          value={timeframe}
          set={setTimeframe}
          pattern="[1-9][0-9]?(s|m|h|d)"
          hint="Such as 1m, 1h."
          required
        />
      </div>
      <h3>Parameters</h3>
      <SchemaForm schema={schema} values={shown} set={setValues} />
      <div className="form-end">
        <button type="button" onClick={close}>
          Cancel
        </button>
        <button type="submit" className="primary" disabled={busy || accounts.length === 0}>
          {busy ? "Creating …" : "Create"}
        </button>
      </div>
    </form>
  );
}

const NONE: readonly never[] = [];
