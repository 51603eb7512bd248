// A bot's parameters, to look at and to change. What is typed belongs to the version that it was typed
// over: another's change meanwhile is told, and never set back unseen.

import { useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { call } from "./api/http";
import { ApiError } from "./api/problem";
import type { BotDetail } from "./api/schema";
import { useSession } from "./api/session";
import { WAIT, said } from "./commands";
import { Card } from "./parts/Card";
import { SchemaForm, paramsOf, valuesOf, type Schema, type Values } from "./parts/SchemaForm";
import { useAct } from "./parts/useAct";

/** What somebody typed, and what was in force when he began. */
interface Edit {
  values: Values;
  base: Values;
  version: number;
}

export function BotParameters({ detail }: { detail: BotDetail }): ReactNode {
  const { schema, params, bot } = detail;
  if (schema !== null && schema !== undefined) return <Form detail={detail} schema={schema} />;
  return (
    <Card title="Parameters" sub={bot.strategy}>
      <dl className="facts pad">
        {Object.entries(params).map(([name, value]) => (
          <div key={name} style={{ display: "contents" }}>
            <dt>{name.replaceAll("_", " ")}</dt>
            <dd>{String(value)}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}

function Form({ detail, schema }: { detail: BotDetail; schema: Schema }): ReactNode {
  const session = useSession();
  const queries = useQueryClient();
  const { busy, act } = useAct();
  const [edit, setEdit] = useState<Edit | null>(null);
  const { bot } = detail;
  const may = session.phase === "in" && session.me.scopes.includes("trade");
  const told = valuesOf(schema, detail.params);
  const shown = edit?.values ?? told;
  const isChanged = differing(shown, told).length > 0;
  const isOld = edit !== null && edit.version !== bot.config_version;
  const begin = (values: Values): Edit => ({ values, base: told, version: bot.config_version });
  const type = (values: Values): void => {
    const next = edit === null ? begin(values) : { ...edit, values };
    setEdit(differing(values, next.base).length > 0 ? next : null);
  };

  const put = async (): Promise<string> => {
    const command = await call("PUT /api/v1/accounts/{account}/bots/{bot}", {
      path: { account: bot.account, bot: bot.name },
      query: WAIT,
      ifMatch: `"v${edit?.version ?? bot.config_version}"`,
      body: {
        strategy: bot.strategy,
        symbols: bot.symbols,
        timeframe: bot.timeframe,
        params: paramsOf(schema, shown),
        limits: detail.limits,
        join_timeout_s: detail.join_timeout_s,
        decide_budget_ms: detail.decide_budget_ms,
      },
    });
    return said(`The change of ${bot.name}`, [command]);
  };
  const save = async (): Promise<void> => {
    const done = await act(async () => {
      try {
        return await put();
      } catch (error) {
        if (!(error instanceof ApiError) || !REFUSED.has(error.status)) throw error;
        await queries.invalidateQueries({ queryKey: ["bot", bot.account, bot.name] });
        throw error.status === 412 ? new ApiError(412, CHANGED) : error;
      }
    });
    if (done) setEdit(null);
  };
  return (
    <Card title="Parameters" sub={`${bot.strategy}, version ${bot.config_version}`}>
      <form
        className="pad"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        {isOld && (
          <Newer
            version={bot.config_version}
            changes={differing(told, edit.base).map((name) => [name, told[name] ?? ""] as const)}
            take={() => setEdit(begin(onTopOf(told, edit)))}
          />
        )}
        <fieldset disabled={!may} className="plain">
          <legend className="visually-hidden">Parameters of {bot.strategy}</legend>
          <SchemaForm schema={schema} values={shown} set={type} />
        </fieldset>
        {may && (
          <div className="form-end">
            {(isChanged || isOld) && (
              <button type="button" onClick={() => setEdit(null)}>
                Undo
              </button>
            )}
            <button type="submit" className="primary" disabled={!isChanged || busy}>
              {busy ? "Saving …" : "Save and apply"}
            </button>
          </div>
        )}
      </form>
    </Card>
  );
}

/** By the API, or a moment later by the leader: what is in force may be another by now. */
const REFUSED = new Set([409, 412]);
const CHANGED = {
  code: "stale",
  title: "This bot was changed elsewhere meanwhile.",
  detail: "Nothing was saved. Take over what is new, look at it, and save again.",
};

interface NewerProps {
  version: number;
  changes: readonly (readonly [name: string, value: string])[];
  take: () => void;
}

/** That what is in force is another by now, and a way to go on from there. */
function Newer({ version, changes, take }: NewerProps): ReactNode {
  const named = changes.map(([name, value]) => `${name.replaceAll("_", " ")} is ${value || "empty"}`);
  return (
    <div className="remark" role="status">
      <p>
        This bot was changed elsewhere while you were typing; now it is version {version}
        {named.length > 0 && <>: {named.join(", ")}</>}.
      </p>
      <div className="form-end">
        <button type="button" onClick={take}>
          Take that over, keep what I typed
        </button>
      </div>
    </div>
  );
}

function differing(values: Values, from: Values): string[] {
  return Object.keys(values).filter((name) => values[name] !== from[name]);
}

/** What is in force, with what was typed in its place. */
function onTopOf(told: Values, { values, base }: Edit): Values {
  const typed = differing(values, base).map((name) => [name, values[name] ?? ""] as const);
  return { ...told, ...Object.fromEntries(typed) };
}
