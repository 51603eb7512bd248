// Nodes, who leads which account, and every time that leadership moved.

import type { ReactNode } from "react";
import { elapsed, when } from "../../format";
import { HandOver } from "../BotControls";
import { FailoverStrip } from "../FailoverStrip";
import { call } from "../api/http";
import type { Failover, Leadership, Node } from "../api/schema";
import { useSession } from "../api/session";
import { Badge } from "../parts/Badge";
import { Card, PageHead } from "../parts/Card";
import { Pages, usePages } from "../parts/Pages";
import { Empty, Loading } from "../parts/Remarks";
import { Table, type Column } from "../parts/Table";
import { useLive } from "../stream/store";

export default function Cluster(): ReactNode {
  const cluster = useLive((live) => live.cluster);
  const session = useSession();
  if (cluster === null) return <Loading what="the cluster" />;
  const may = session.phase === "in" && session.me.scopes.includes("trade");
  return (
    <>
      <PageHead title="Cluster" sub={`profile ${cluster.profile}`} />
      <FailoverStrip />
      <div className="columns even">
        <Card title="Nodes">
          {cluster.nodes.length === 0 ? (
            <Empty title="No node has shown itself.">
              Start one with <code>holdfast node</code>.
            </Empty>
          ) : (
            <Table
              name="Nodes"
              rows={cluster.nodes}
              columns={NODE_COLUMNS}
              rowKey={(node) => node.boot_id}
              folds
            />
          )}
        </Card>
        <Card title="Who leads">
          <Table
            name="Who leads"
            rows={cluster.leadership}
            columns={may ? [...LEADER_COLUMNS, MOVE] : LEADER_COLUMNS}
            rowKey={(one) => one.account}
            folds
          />
        </Card>
      </div>
      <Card title="How leadership moved" sub="newest first; the gap is how long nobody could arm an order">
        <History />
      </Card>
    </>
  );
}

const NODE_COLUMNS: Column<Node>[] = [
  { label: "Node", cell: (node) => <span className="strong">{node.name}</span> },
  {
    label: "State",
    cell: (node) => (
      <Badge mood={node.is_live ? "good" : "quiet"}>{node.is_live ? "alive" : "gone"}</Badge>
    ),
  },
  { label: "Leads", cell: (node) => node.leads.join(", ") || "stands by" },
  { label: "Version", short: "version", cell: (node) => node.version },
  { label: "Process", right: true, short: "process", cell: (node) => node.pid },
];

const LEADER_COLUMNS: Column<Leadership>[] = [
  { label: "Account", cell: (one) => <span className="strong">{one.account}</span> },
  {
    label: "Leader",
    cell: (one) => one.leader ?? <Badge mood="bad">nobody</Badge>,
  },
  { label: "Epoch", right: true, short: "epoch", cell: (one) => one.epoch },
  {
    label: "Since",
    short: "since",
    cell: (one) => (one.since ? when(Date.parse(one.since)) : "–"),
  },
];

const MOVE: Column<Leadership> = {
  label: "",
  right: true,
  cell: (one) => <HandOver account={one.account} />,
};

const COLUMNS: Column<Failover>[] = [
  { label: "At", cell: (one) => <time dateTime={one.at}>{when(Date.parse(one.at))}</time> },
  {
    label: "Gap",
    right: true,
    cell: (one) => <b>{one.gap_ms === null || one.gap_ms === undefined ? "–" : elapsed(one.gap_ms)}</b>,
  },
  { label: "Account", cell: (one) => one.account },
  { label: "From", short: "from", cell: (one) => one.before ?? "nobody" },
  { label: "To", short: "to", cell: (one) => one.leader },
  { label: "Kind", cell: (one) => (one.planned ? "handover" : "takeover") },
  { label: "Epoch", right: true, short: "epoch", cell: (one) => one.epoch },
  { label: "Why", wrap: true, cell: (one) => <span className="muted">{one.why}</span> },
];

function History(): ReactNode {
  // Read again when there was another one. Of the newest the live list knows first how they ended.
  const latest = useLive((live) => live.cluster?.failovers ?? NONE);
  const newest = latest[0]?.seq ?? 0;
  const pages = usePages(
    ["failovers", newest],
    (from) => call("GET /api/v1/failovers", { query: from }),
    { keeps: true },
  );
  return (
    <Pages what="failovers" from={pages}>
      {(rows) => (
        <Table
          name="Failovers"
          rows={rows.map((row) => latest.find((one) => isSame(one, row)) ?? row)}
          columns={COLUMNS}
          rowKey={(one) => `${one.account}/${one.epoch}`}
          folds
        />
      )}
    </Pages>
  );
}

function isSame(one: Failover, other: Failover): boolean {
  return one.account === other.account && one.epoch === other.epoch;
}

const NONE: readonly never[] = [];
