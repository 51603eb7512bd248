// One's own: password, second factor, sessions and API tokens.

import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { when } from "../format";
import { call } from "./api/http";
import type { Me, Scope, Session, Token, TotpOffer } from "./api/schema";
import { Badge } from "./parts/Badge";
import { Card } from "./parts/Card";
import { Dialog } from "./parts/Dialog";
import { Fetched } from "./parts/Fetched";
import { Field } from "./parts/Field";
import { Empty } from "./parts/Remarks";
import { Table, type Column } from "./parts/Table";
import { useAct } from "./parts/useAct";
import { Secret } from "./Secret";

export function Mine({ me }: { me: Me }): ReactNode {
  return (
    <div className="columns even">
      <Sessions />
      <div className="stack">
        <Tokens me={me} />
        <Proofs />
      </div>
    </div>
  );
}

function Sessions(): ReactNode {
  const sessions = useQuery({
    queryKey: ["my-sessions"],
    queryFn: () => call("GET /api/v1/me/sessions", {}),
  });
  const { busy, act } = useAct();
  const end = (one: Session): void =>
    void act(async () => {
      await call("DELETE /api/v1/sessions/{session_id}", { path: { session_id: one.session_id } });
      return "That session has ended.";
    });
  const columns: Column<Session>[] = [
    {
      label: "From",
      cell: (one) => (
        <>
          {one.address} {one.is_this && <Badge mood="good">this one</Badge>}
        </>
      ),
    },
    { label: "Last used", cell: (one) => when(Date.parse(one.last_used_at)) },
    { label: "By", cell: (one) => one.method },
    { label: "Program", wrap: true, cell: (one) => <span className="muted">{agentOf(one.agent)}</span> },
    {
      label: "",
      right: true,
      cell: (one) =>
        one.is_this ? null : (
          <button type="button" disabled={busy} onClick={() => end(one)}>
            End
          </button>
        ),
    },
  ];
  return (
    <Card title="Your sessions">
      <Fetched what="sessions" from={sessions}>
        {({ items }) => (
          <Table
            name="Your sessions"
            rows={items}
            columns={columns}
            rowKey={(one) => one.session_id}
            folds
          />
        )}
      </Fetched>
    </Card>
  );
}

/** `Firefox` of the long sentence that a browser says of itself. */
function agentOf(agent: string): string {
  const found = /(Firefox|Edg|OPR|Chrome|Safari)\/[\d.]+/.exec(agent)?.[1];
  return found === undefined ? agent.slice(0, 40) || "–" : found === "Edg" ? "Edge" : found;
}

function Tokens({ me }: { me: Me }): ReactNode {
  const tokens = useQuery({
    queryKey: ["my-tokens"],
    queryFn: () => call("GET /api/v1/me/tokens", {}),
  });
  const [creates, setCreates] = useState(false);
  const [made, setMade] = useState<string | null>(null);
  const { busy, act } = useAct();
  const end = (one: Token): void =>
    void act(async () => {
      await call("DELETE /api/v1/tokens/{token_id}", { path: { token_id: one.token_id } });
      return `Token ${one.name} is worth nothing now.`;
    });
  const columns: Column<Token>[] = [
    { label: "Name", cell: (one) => <span className="strong">{one.name}</span> },
    { label: "Begins with", cell: (one) => <code>{one.prefix}…</code> },
    { label: "May", cell: (one) => one.scopes.join(", ") },
    {
      label: "Ends",
      short: "ends",
      cell: (one) => (one.expires_at ? when(Date.parse(one.expires_at)) : "never"),
    },
    {
      label: "",
      right: true,
      cell: (one) => (
        <button type="button" disabled={busy} onClick={() => end(one)}>
          Revoke
        </button>
      ),
    },
  ];
  return (
    <Card
      title="Your API tokens"
      sub="for programs that act for you"
      controls={
        <button type="button" onClick={() => setCreates(true)}>
          New token …
        </button>
      }
    >
      <Fetched what="tokens" from={tokens}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="None." />
          ) : (
            <Table
              name="Your API tokens"
              rows={items}
              columns={columns}
              rowKey={(one) => one.token_id}
              folds
            />
          )
        }
      </Fetched>
      {creates && <NewToken me={me} close={() => setCreates(false)} made={setMade} />}
      {made !== null && (
        <Secret
          title="Your new token"
          about="Keep it where the program finds it. It is shown only now."
          secret={made}
          close={() => setMade(null)}
        />
      )}
    </Card>
  );
}

const MEANINGS: Record<Scope, string> = {
  read: "look at what is yours",
  research: "run backtests and sweeps",
  trade: "start, stop, drain, halt",
  risk: "what adds risk: start live, raise limits, resume",
  admin: "users, audit, the platform",
};

function NewToken(props: { me: Me; close: () => void; made: (secret: string) => void }): ReactNode {
  const { me, close, made } = props;
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<ReadonlySet<Scope>>(new Set<Scope>(["read"]));
  const { busy, act } = useAct();
  const create = async (): Promise<void> => {
    const done = await act(async () => {
      const answer = await call("POST /api/v1/me/tokens", { body: { name, scopes: [...scopes] } });
      if (answer.secret !== null) made(answer.secret);
    });
    if (done) close();
  };
  return (
    <Dialog title="New API token" close={close}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          void create();
        }}
      >
        <Field label="Name" hint="What it is for." value={name} set={setName} required autoFocus />
        <fieldset className="plain form">
          <legend className="label strong small">It may</legend>
          {me.scopes.map((scope) => (
            <label className="check" key={scope}>
              <input
                type="checkbox"
                checked={scopes.has(scope)}
                onChange={(event) => {
                  const next = new Set(scopes);
                  if (event.target.checked) next.add(scope);
                  else next.delete(scope);
                  setScopes(next);
                }}
              />
              {scope}: {MEANINGS[scope]}
            </label>
          ))}
        </fieldset>
        <p className="muted small">It ends in 90 days.</p>
        <div className="form-end">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" className="primary" disabled={busy || scopes.size === 0}>
            {busy ? "Making …" : "Make it"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Proofs(): ReactNode {
  const me = useQuery({ queryKey: ["me"], queryFn: () => call("GET /api/v1/me", {}) });
  const [asks, setAsks] = useState<"password" | null>(null);
  const [offer, setOffer] = useState<TotpOffer | null>(null);
  const { busy, act } = useAct();
  const begin = (): void =>
    void act(async () => {
      setOffer(await call("POST /api/v1/me/totp", {}));
    });
  const drop = (): void =>
    void act(async () => {
      await call("DELETE /api/v1/me/totp", {});
      return "You sign in without a second factor now.";
    });
  return (
    <Card title="How you prove who you are">
      <Fetched what="who you are" from={me}>
        {({ has_totp }) => (
          <div className="pad row">
            <button type="button" onClick={() => setAsks("password")}>
              Change the password …
            </button>
            {has_totp ? (
              <button type="button" disabled={busy} onClick={drop}>
                Drop the second factor
              </button>
            ) : (
              <button type="button" disabled={busy} onClick={begin}>
                Set up a second factor …
              </button>
            )}
          </div>
        )}
      </Fetched>
      {asks === "password" && <Password close={() => setAsks(null)} />}
      {offer !== null && <Totp offer={offer} close={() => setOffer(null)} />}
    </Card>
  );
}

function Password({ close }: { close: () => void }): ReactNode {
  const [old, setOld] = useState("");
  const [next, setNext] = useState("");
  const { busy, act } = useAct();
  const save = async (): Promise<void> => {
    const done = await act(async () => {
      await call("PUT /api/v1/me/password", { body: { old, new: next } });
      return "The password is changed; all your other sessions have ended.";
    });
    if (done) close();
  };
  return (
    <Dialog title="Change your password" close={close}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <Field
          label="The present one"
          type="password"
          autoComplete="current-password"
          value={old}
          set={setOld}
          autoFocus
        />
        <Field
          label="The new one"
          type="password"
          autoComplete="new-password"
          value={next}
          set={setNext}
          required
        />
        <div className="form-end">
          <button type="submit" className="primary" disabled={busy}>
            {busy ? "Saving …" : "Save"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Totp({ offer, close }: { offer: TotpOffer; close: () => void }): ReactNode {
  const [code, setCode] = useState("");
  const { busy, act } = useAct();
  const enable = async (): Promise<void> => {
    const done = await act(async () => {
      await call("PUT /api/v1/me/totp", { body: { code } });
      return "The second factor counts from now on.";
    });
    if (done) close();
  };
  return (
    <Dialog title="A second factor" close={close}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          void enable();
        }}
      >
        <p>Put this key into your authenticator, then give the code that it shows.</p>
        <p className="code wrap strong">{offer.secret}</p>
        {offer.uri !== null && (
          <p className="small">
            <a href={offer.uri}>Open it in an authenticator on this device</a>
          </p>
        )}
        <Field
          label="Code"
          inputMode="numeric"
          autoComplete="one-time-code"
          value={code}
          set={setCode}
          required
        />
        <div className="form-end">
          <button type="submit" className="primary" disabled={busy}>
            Let it count
          </button>
        </div>
      </form>
    </Dialog>
  );
}
