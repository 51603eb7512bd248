// What can be done with a bot now.

import { useState, type ReactNode } from "react";
import { call } from "./api/http";
import type { Bot } from "./api/schema";
import { useSession } from "./api/session";
import { WAIT, said } from "./commands";
import { Ask } from "./parts/Ask";
import { Dialog } from "./parts/Dialog";
import { Select } from "./parts/Field";
import { useAct } from "./parts/useAct";
import { useLive } from "./stream/store";

export function BotControls({ bot }: { bot: Bot }): ReactNode {
  const session = useSession();
  if (session.phase !== "in" || !session.me.scopes.includes("trade")) return null;
  const path = { account: bot.account, bot: bot.name };
  const isRunning = bot.condition === "running";
  const mayStart =
    bot.condition === "stopped" || bot.condition === "failed" || bot.condition === "draining";
  return (
    <>
      {mayStart && (
        <Ask
          label="Start …"
          title={`Start ${bot.name}?`}
          verb="Start"
          act={async () =>
            said("Start", [
              await call("POST /api/v1/accounts/{account}/bots/{bot}/start", { path, query: WAIT }),
            ])
          }
        >
          <p>
            It trades {bot.symbols.join(", ")} on {bot.account}, as soon as its indicators are warm.
          </p>
        </Ask>
      )}
      {isRunning && (
        <Ask
          label="Drain …"
          title={`Drain ${bot.name}?`}
          verb="Drain"
          asksReason
          act={async (reason) =>
            said("Drain", [
              await call("POST /api/v1/accounts/{account}/bots/{bot}/drain", {
                path,
                query: WAIT,
                body: { reason },
              }),
            ])
          }
        >
          <p>It goes on without new exposure, and leaves what it holds as it wishes.</p>
        </Ask>
      )}
      {bot.condition !== "stopped" && (
        <Ask
          label="Stop …"
          title={`Stop ${bot.name}?`}
          verb="Stop"
          danger
          asksReason
          act={async (reason) =>
            said("Stop", [
              await call("POST /api/v1/accounts/{account}/bots/{bot}/stop", {
                path,
                query: WAIT,
                body: { reason },
              }),
            ])
          }
        >
          <p>It decides nothing any more and its resting orders are taken back. What it holds stays.</p>
        </Ask>
      )}
      <HandOver account={bot.account} />
    </>
  );
}

/** Move an account, and all bots on it, to another node. */
export function HandOver({ account }: { account: string }): ReactNode {
  const [open, setOpen] = useState(false);
  const nodes = useLive((live) => live.cluster?.nodes ?? NONE);
  const others = nodes.filter((node) => node.is_live && !node.leads.includes(account));
  return (
    <>
      <button
        type="button"
        disabled={others.length === 0}
        title={others.length === 0 ? "No other node stands by" : undefined}
        onClick={() => setOpen(true)}
      >
        Hand over …
      </button>
      {open && (
        <To account={account} names={others.map((node) => node.name)} close={() => setOpen(false)} />
      )}
    </>
  );
}

const NONE: readonly never[] = [];

function To(props: { account: string; names: readonly string[]; close: () => void }): ReactNode {
  const { account, names, close } = props;
  const [node, setNode] = useState(names[0] ?? "");
  const { busy, act } = useAct();
  const go = async (): Promise<void> => {
    const done = await act(async () =>
      said("Handover", [
        await call("POST /api/v1/accounts/{account}/handover", {
          path: { account },
          query: { wait_s: 10 },
          body: { node },
        }),
      ]),
    );
    if (done) close();
  };
  return (
    <Dialog title={`Hand ${account} over?`} close={close}>
      <p>
        The account moves with all its bots. Its leader finishes what is under way first; nothing is
        placed twice, and trading stands still for a fraction of a second.
      </p>
      <Select
        label="To node"
        value={node}
        set={setNode}
        options={names.map((name) => [name, name] as const)}
      />
      <div className="form-end">
        <button type="button" onClick={close}>
          Cancel
        </button>
        <button type="button" className="primary" disabled={busy} onClick={() => void go()}>
          {busy ? "Moving …" : "Hand over"}
        </button>
      </div>
    </Dialog>
  );
}
