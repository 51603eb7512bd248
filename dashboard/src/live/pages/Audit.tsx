// Who did what: the platform's own journal, newest first.

import type { ReactNode } from "react";
import { when } from "../../format";
import { call } from "../api/http";
import type { AuditEvent } from "../api/schema";
import { Card, PageHead } from "../parts/Card";
import { Pages, usePages } from "../parts/Pages";
import { Table, type Column } from "../parts/Table";

export default function Audit(): ReactNode {
  const pages = usePages(["audit"], (from) => call("GET /api/v1/audit", { query: from }), {
    again: 10_000,
  });
  return (
    <>
      <PageHead title="Audit" sub="chained, so that nothing can be taken out unseen" />
      <Card title="Who did what" sub="prove it with holdfast audit verify">
        <Pages what="records" from={pages}>
          {(rows) => (
            <Table
              name="Audit"
              rows={rows}
              columns={COLUMNS}
              rowKey={(event) => String(event.seq)}
              folds
            />
          )}
        </Pages>
      </Card>
    </>
  );
}

const COLUMNS: Column<AuditEvent>[] = [
  { label: "At", cell: (event) => <time dateTime={event.at}>{when(Date.parse(event.at))}</time> },
  { label: "Record", right: true, cell: (event) => event.seq.toLocaleString("en-US") },
  { label: "Who", cell: (event) => <span className="strong">{event.by}</span> },
  { label: "What", wrap: true, cell: (event) => event.told },
  { label: "Kind", cell: (event) => <span className="muted code">{event.kind}</span> },
];
