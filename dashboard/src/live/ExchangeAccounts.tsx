// The exchange accounts that nodes are configured with, as administrators see, add and drop them.

import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { when } from "../format";
import { call } from "./api/http";
import type { ExchangeAccount, ReconcilePolicy } from "./api/schema";
import { Badge } from "./parts/Badge";
import { Card } from "./parts/Card";
import { Dialog } from "./parts/Dialog";
import { Fetched } from "./parts/Fetched";
import { Field, Select } from "./parts/Field";
import { Table, type Column } from "./parts/Table";
import { useAct } from "./parts/useAct";

const READ_AGAIN_MS = 2_000;

const POLICIES: readonly (readonly [ReconcilePolicy, string])[] = [
  ["halt", "halt: add nothing until somebody decides"],
  ["quarantine", "quarantine: the same, only where they traded"],
  ["adopt", "adopt: book them as the account’s"],
  ["ignore", "ignore: note them"],
];

export function ExchangeAccounts(): ReactNode {
  const accounts = useQuery({
    queryKey: ["exchange-accounts"],
    queryFn: () => call("GET /api/v1/exchange-accounts", {}),
    refetchInterval: READ_AGAIN_MS,
  });
  const [adds, setAdds] = useState(false);
  const [open, setOpen] = useState<ExchangeAccount | null>(null);
  const ofFile = accounts.data?.items.filter((one) => one.in_file) ?? [];
  return (
    <Card
      title="Exchange accounts"
      sub="what nodes are configured with"
      controls={
        <button type="button" disabled={ofFile.length === 0} onClick={() => setAdds(true)}>
          Add an account …
        </button>
      }
    >
      <Fetched what="exchange accounts" from={accounts}>
        {({ items }) => (
          <Table
            name="Exchange accounts"
            rows={items}
            columns={COLUMNS}
            rowKey={(one) => one.name}
            open={setOpen}
            folds
          />
        )}
      </Fetched>
      {adds && <Add like={ofFile.map((one) => one.name)} close={() => setAdds(false)} />}
      {open !== null && <One account={open} close={() => setOpen(null)} />}
    </Card>
  );
}

const COLUMNS: Column<ExchangeAccount>[] = [
  { label: "Name", cell: (one) => <span className="strong">{one.name}</span> },
  { label: "State", cell: (one) => <State account={one} /> },
  { label: "Exchange", wrap: true, cell: (one) => one.rest_url ?? `as ${one.like}` },
  { label: "Key", wrap: true, cell: (one) => <code>{one.api_key}</code> },
  {
    label: "Since",
    cell: (one) =>
      one.added_at ? `${one.added_by}, ${when(Date.parse(one.added_at))}` : "in the nodes’ file",
  },
];

function State({ account }: { account: ExchangeAccount }): ReactNode {
  if (account.left_out !== "") return <Badge mood="bad">left out</Badge>;
  if (account.leader !== null) return <Badge mood="good">led by {account.leader}</Badge>;
  return account.nodes.length === 0 ? (
    <Badge mood="busy">no node has it yet</Badge>
  ) : (
    <Badge mood="bad">{account.nodes.join(", ")} cannot lead it</Badge>
  );
}

function One({ account, close }: { account: ExchangeAccount; close: () => void }): ReactNode {
  const { busy, act } = useAct();
  const drop = async (): Promise<void> => {
    const done = await act(async () => {
      await call("DELETE /api/v1/exchange-accounts/{account}", { path: { account: account.name } });
      return `${account.name} was dropped; nodes begin anew without it.`;
    });
    if (done) close();
  };
  return (
    <Dialog title={account.name} close={close}>
      <dl className="facts">
        <dt>State</dt>
        <dd>
          <State account={account} />
        </dd>
        {account.left_out !== "" && (
          <>
            <dt>Why</dt>
            <dd>{account.left_out}</dd>
          </>
        )}
        {account.leader === null && account.nodes.length > 0 && (
          <>
            <dt>Why</dt>
            <dd>
              The nodes’ log says it: mostly a key that they cannot read, or that the exchange does
              not take.
            </dd>
          </>
        )}
        <dt>Exchange</dt>
        <dd>{account.rest_url ?? `as ${account.like}`}</dd>
        <dt>Key, secret</dt>
        <dd>
          <code>{account.api_key}</code>, <code>{account.api_secret}</code>
          <span className="muted"> (references; neither ever comes here)</span>
        </dd>
        <dt>Others’ trades on it</dt>
        <dd>{account.reconcile}</dd>
        <dt>Nodes that have it</dt>
        <dd>{account.nodes.join(", ") || "none"}</dd>
      </dl>
      {account.in_file ? (
        <p className="muted small">It stands in the nodes’ file, and is changed there.</p>
      ) : (
        <div className="row">
          <button type="button" className="danger" disabled={busy} onClick={() => void drop()}>
            Drop it (its journal stays)
          </button>
        </div>
      )}
    </Dialog>
  );
}

interface AddProps {
  like: readonly string[];
  close: () => void;
}

function Add({ like: known, close }: AddProps): ReactNode {
  const [name, setName] = useState("");
  const [like, setLike] = useState(known[0] ?? "");
  const [key, setKey] = useState("");
  const [secret, setSecret] = useState("");
  const [reconcile, setReconcile] = useState<ReconcilePolicy>("halt");
  const { busy, act } = useAct();
  const add = async (): Promise<void> => {
    const done = await act(async () => {
      const body = { name, like, api_key: key, api_secret: secret, reconcile };
      await call("POST /api/v1/exchange-accounts", { body });
      return `${name} was added; nodes begin anew with it, one after the other.`;
    });
    if (done) close();
  };
  return (
    <Dialog title="Add an exchange account" close={close}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          void add();
        }}
      >
        <Field
          label="Name"
          hint="Its journal is called so. Small letters, digits, - and _."
          pattern="[a-z0-9][a-z0-9_\-]{0,31}"
          value={name}
          set={setName}
          required
          autoFocus
        />
        <Select
          label="On the exchange of"
          value={like}
          set={setLike}
          options={known.map((each) => [each, each] as const)}
        />
        <Field
          label="Key"
          hint="Where every node finds it: env:NAME, file:/path, vault:…; never the key itself."
          placeholder="file:/run/secrets/second_key"
          value={key}
          set={setKey}
          required
        />
        <Field
          label="Secret"
          hint="The same for its secret."
          placeholder="file:/run/secrets/second_secret"
          value={secret}
          set={setSecret}
          required
        />
        <Select
          label="Others’ trades on it"
          value={reconcile}
          set={(value) => setReconcile(value as ReconcilePolicy)}
          options={POLICIES}
        />
        <p className="hint">
          Nodes hand over and begin anew, one after the other. The account trades nothing until a
          bot is made on it.
        </p>
        <div className="form-end">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" className="primary" disabled={busy}>
            {busy ? "Adding …" : "Add"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
