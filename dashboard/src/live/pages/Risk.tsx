// What stops trading and what would: halts, breakers, what disagrees with the exchange, and limits
// with how much of them is used.

import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { number, percent } from "../../format";
import { EditLimits, LimitFacts } from "../Limits";
import { call } from "../api/http";
import type { Account, AccountDetail, Bot, HaltLevel } from "../api/schema";
import { useSession } from "../api/session";
import { WAIT, haltAll, resumeAll, said } from "../commands";
import { Ask } from "../parts/Ask";
import { Badge } from "../parts/Badge";
import { Card, PageHead } from "../parts/Card";
import { Dialog } from "../parts/Dialog";
import { Fetched } from "../parts/Fetched";
import { Field, Select } from "../parts/Field";
import { Loading } from "../parts/Remarks";
import { useAct } from "../parts/useAct";
import { useLive } from "../stream/store";
import { LEVELS } from "../words";

export default function Risk(): ReactNode {
  const overview = useLive((live) => live.overview);
  const bots = useLive((live) => live.bots);
  if (overview === null) return <Loading what="the state of risk" />;
  const { accounts } = overview;
  return (
    <>
      <PageHead title="Risk" />
      <div className="columns even">
        <Card title="Halts" sub="what is stopped, and how far; they survive every restart">
          <div className="pad">
            <div className="levels">
              <Level
                name="Everything"
                halt={overview.halt ?? null}
                why=""
                halts={(level, reason) => haltAll(level, reason)}
                resumes={() => resumeAll()}
              />
              {accounts.map((account) => (
                <AccountLevel key={account.name} account={account} />
              ))}
              {(bots ?? []).map((bot) => (
                <BotLevel key={`${bot.account}/${bot.name}`} bot={bot} />
              ))}
            </div>
          </div>
        </Card>
        <div className="stack">
          <Card title="Agreement with the exchange">
            <div className="pad">
              {accounts.map((account) => (
                <Disagreements key={account.name} account={account} />
              ))}
            </div>
          </Card>
          {accounts.map((account) => (
            <AccountLimits key={account.name} account={account} />
          ))}
        </div>
      </div>
    </>
  );
}

function AccountLevel({ account }: { account: Account }): ReactNode {
  const path = { account: account.name };
  return (
    <Level
      name={`Account ${account.name}`}
      halt={account.halt ?? null}
      why={account.reason}
      halts={async (level, reason) => [
        await call("POST /api/v1/accounts/{account}/halt", {
          path,
          query: WAIT,
          body: { level, reason },
        }),
      ]}
      resumes={async () => [
        await call("POST /api/v1/accounts/{account}/resume", { path, query: WAIT }),
      ]}
    />
  );
}

function BotLevel({ bot }: { bot: Bot }): ReactNode {
  const path = { account: bot.account, bot: bot.name };
  return (
    <Level
      name={`Bot ${bot.name}`}
      halt={bot.halt ?? null}
      why={bot.reason}
      halts={async (level, reason) => [
        await call("POST /api/v1/accounts/{account}/bots/{bot}/halt", {
          path,
          query: WAIT,
          body: { level, reason },
        }),
      ]}
      resumes={async () => [
        await call("POST /api/v1/accounts/{account}/bots/{bot}/resume", { path, query: WAIT }),
      ]}
    />
  );
}

type Given = Awaited<ReturnType<typeof haltAll>>;

interface LevelProps {
  name: string;
  halt: HaltLevel | null;
  why: string;
  halts: (level: HaltLevel, reason: string) => Promise<Given>;
  resumes: () => Promise<Given>;
}

function Level({ name, halt, why, halts, resumes }: LevelProps): ReactNode {
  const session = useSession();
  const [asks, setAsks] = useState(false);
  const may = session.phase === "in" && session.me.scopes.includes("trade");
  return (
    <div className="level">
      <span className="strong">{name}</span>
      <span className="wrap">
        {halt === null ? (
          <Badge mood="good">trades</Badge>
        ) : (
          <>
            <Badge mood="bad">{LEVELS[halt].word.toLowerCase()}</Badge>
            {why !== "" && <span className="muted"> {why}</span>}
          </>
        )}
      </span>
      {may && (
        <span className="row">
          {halt !== null && (
            <Ask
              label="Resume …"
              title={`Resume: ${name}?`}
              verb="Resume"
              act={async () => said("Resume", await resumes())}
            >
              <p>Positions may be opened again, at once.</p>
            </Ask>
          )}
          <button type="button" className="danger" onClick={() => setAsks(true)}>
            Halt …
          </button>
        </span>
      )}
      {asks && <HaltDialog name={name} halts={halts} close={() => setAsks(false)} />}
    </div>
  );
}

interface HaltProps {
  name: string;
  halts: LevelProps["halts"];
  close: () => void;
}

function HaltDialog({ name, halts, close }: HaltProps): ReactNode {
  const [level, setLevel] = useState<HaltLevel>("entries");
  const [reason, setReason] = useState("");
  const { busy, act } = useAct();
  const go = async (): Promise<void> => {
    if (await act(async () => said("Halt", await halts(level, reason)))) close();
  };
  return (
    <Dialog title={`Halt: ${name}`} close={close}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          void go();
        }}
      >
        <Select
          label="How far"
          value={level}
          set={(value) => setLevel(value as HaltLevel)}
          options={(["entries", "cancel", "flatten"] as const).map(
            (one) => [one, LEVELS[one].word] as const,
          )}
        />
        <p className="muted">{LEVELS[level].means}</p>
        <Field label="Why" value={reason} set={setReason} maxLength={200} hint="Kept in the journal." />
        <div className="form-end">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" className="danger" disabled={busy}>
            {busy ? "Halting …" : "Halt"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Disagreements({ account }: { account: Account }): ReactNode {
  const broken = Object.entries(account.breakers);
  const apart = Object.entries(account.quarantine);
  const { busy, act } = useAct();
  return (
    <div>
      <div className="row">
        <h3>{account.name}</h3>
        {account.in_maintenance && <Badge mood="busy">the exchange is under maintenance</Badge>}
        <button
          type="button"
          disabled={busy}
          onClick={() =>
            void act(async () =>
              said("The comparison", [
                await call("POST /api/v1/accounts/{account}/reconcile", {
                  path: { account: account.name },
                  query: WAIT,
                }),
              ]),
            )
          }
        >
          Compare now
        </button>
      </div>
      {broken.length === 0 && apart.length === 0 && (
        <p className="small muted">
          Journal and exchange agree; no circuit breaker is open.
        </p>
      )}
      <dl className="facts">
        {broken.map(([what, state]) => (
          <Pair key={what} name={`Breaker, ${what}`} value={state} />
        ))}
        {apart.map(([what, why]) => (
          <Pair key={what} name={`Set apart: ${what}`} value={why} />
        ))}
      </dl>
    </div>
  );
}

function Pair({ name, value }: { name: string; value: string }): ReactNode {
  return (
    <>
      <dt className="warn">{name}</dt>
      <dd>{value}</dd>
    </>
  );
}

function AccountLimits({ account }: { account: Account }): ReactNode {
  const session = useSession();
  const [edits, setEdits] = useState(false);
  const detail = useQuery({
    queryKey: ["account", account.name],
    queryFn: () => call("GET /api/v1/accounts/{account}", { path: { account: account.name } }),
  });
  const may = session.phase === "in" && session.me.scopes.includes("trade");
  return (
    <Card
      title={`Limits of ${account.name}`}
      sub="of all its bots together"
      controls={
        may && (
          <button type="button" onClick={() => setEdits(true)}>
            Change …
          </button>
        )
      }
    >
      <Fetched what="limits" from={detail}>
        {(found) => (
          <div className="pad">
            <Used account={account} detail={found} />
            <LimitFacts limits={found.limits} quote={account.reporting} />
          </div>
        )}
      </Fetched>
      {edits && <EditLimits account={account.name} close={() => setEdits(false)} />}
    </Card>
  );
}

/** How much of the limits that end trading is used up. */
function Used({ account, detail }: { account: Account; detail: AccountDetail }): ReactNode {
  const { max_daily_loss, max_drawdown_pct, max_open_orders } = detail.limits;
  const loss = Math.max(0, -Number(account.day_pnl ?? 0));
  const drawdown = Math.abs(Number(account.drawdown_pct ?? 0));
  const uses = [
    max_daily_loss && {
      name: "Loss of the day",
      used: loss,
      limit: Number(max_daily_loss),
      text: `${number(loss)} of ${number(Number(max_daily_loss))} ${account.reporting}`,
    },
    max_drawdown_pct && {
      name: "Drawdown",
      used: drawdown,
      limit: Number(max_drawdown_pct),
      text: `${percent(drawdown)} of ${percent(Number(max_drawdown_pct), 0)}`,
    },
    max_open_orders && {
      name: "Open orders",
      used: account.resting,
      limit: max_open_orders,
      text: `${account.resting} of ${max_open_orders}`,
    },
  ].filter((use) => typeof use === "object" && use !== null);
  return (
    <div className="levels">
      {uses.map(({ name, used, limit, text }) => {
        const share = Math.min(1, used / limit);
        const mood = share > 0.9 ? "bad" : share > 0.66 ? "busy" : "";
        return (
          <div className="level" key={name}>
            <span>{name}</span>
            <span className={`bar ${mood}`} role="img" aria-label={`${name}: ${text}`}>
              <i style={{ width: `${share * 100}%` }} />
            </span>
            <span>{text}</span>
          </div>
        );
      })}
    </div>
  );
}
