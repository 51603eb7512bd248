// Backtests and sweeps: asked for, watched, and compared.

import { useQuery } from "@tanstack/react-query";
import { useMemo, useState, type ReactNode } from "react";
import { useSearchParams } from "wouter";
import { when } from "../../format";
import { NewRun } from "../NewRun";
import { RunComparison, RunResult } from "../RunResult";
import { call } from "../api/http";
import type { Job } from "../api/schema";
import { Badge } from "../parts/Badge";
import { Card, PageHead } from "../parts/Card";
import { Dialog } from "../parts/Dialog";
import { Fetched } from "../parts/Fetched";
import { Pages, usePages } from "../parts/Pages";
import { Empty } from "../parts/Remarks";
import { Table, type Column } from "../parts/Table";
import { useAct } from "../parts/useAct";
import { JOB_STATES } from "../words";

/** A user may ask 100 times a minute, and other pages of his ask as well. */
const WATCH_MS = 2_000;
const REST_MS = 10_000;

export default function Research(): ReactNode {
  const [asked, set] = useSearchParams();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [creates, setCreates] = useState<"backtest" | "sweep" | null>(null);
  const open = asked.get("job");
  const all = usePages(["jobs"], (from) => call("GET /api/v1/jobs", { query: from }), {
    limit: 100,
    again: (jobs) => (open === null && jobs.some(isUnderWay) ? WATCH_MS : REST_MS),
  });
  // Not what the platform does by itself, such as its own upkeep.
  const jobs = all.data?.filter((job) => job.kind === "backtest" || job.kind === "sweep");
  const columns = useMemo(() => columnsOf(chosen, setChosen), [chosen]);
  const compared = (jobs ?? []).filter((job) => chosen.has(job.job_id));
  return (
    <>
      <PageHead title="Research" sub="backtests and sweeps, in the background">
        <button type="button" onClick={() => setCreates("sweep")}>
          New sweep …
        </button>
        <button type="button" className="primary" onClick={() => setCreates("backtest")}>
          New backtest …
        </button>
      </PageHead>
      {compared.length > 1 && (
        <Card
          title={`${compared.length} runs compared`}
          controls={
            <button type="button" onClick={() => setChosen(new Set())}>
              Compare nothing
            </button>
          }
        >
          <RunComparison jobs={compared} />
        </Card>
      )}
      <Card title="Runs" sub="tick two or more backtests to compare them">
        <Pages
          what="runs"
          from={{ ...all, data: jobs }}
          none={<Empty title="No runs yet.">Begin with a backtest: it says what a strategy would have made.</Empty>}
        >
          {(rows) => (
            <Table
              name="Runs"
              rows={rows}
              columns={columns}
              rowKey={(job) => job.job_id}
              open={(job) =>
                set((now) => {
                  now.set("job", job.job_id);
                  return now;
                })
              }
              folds
            />
          )}
        </Pages>
      </Card>
      {creates !== null && <NewRun kind={creates} close={() => setCreates(null)} />}
      {open !== null && (
        <Details
          key={open}
          id={open}
          close={() =>
            set((now) => {
              now.delete("job");
              return now;
            })
          }
        />
      )}
    </>
  );
}

function isUnderWay(job: Job): boolean {
  return job.state === "queued" || job.state === "running";
}

/** What was asked for, in a line: strategy, data, parameters. */
export function wordsOf(job: Job): string {
  const { strategy, data, params, trials } = job.input as {
    strategy?: string;
    data?: string[];
    params?: Record<string, unknown>;
    trials?: number;
  };
  const parts = [strategy ?? job.kind, (data ?? []).join(" + ")];
  const told = Object.entries(params ?? {}).map(([name, value]) => `${name} ${String(value)}`);
  if (told.length > 0) parts.push(told.join(", "));
  if (trials !== undefined) parts.push(`${trials} trials`);
  return parts.filter((part) => part !== "").join(" · ");
}

function columnsOf(
  chosen: ReadonlySet<string>,
  choose: (next: ReadonlySet<string>) => void,
): Column<Job>[] {
  return [
    { label: "Asked for", cell: (job) => when(Date.parse(job.created_at)) },
    { label: "State", cell: (job) => <State job={job} /> },
    { label: "Kind", cell: (job) => job.kind },
    { label: "What", wrap: true, cell: (job) => <span className="muted">{wordsOf(job)}</span> },
    { label: "Progress", cell: (job) => <Progress job={job} /> },
    {
      label: "Compare",
      right: true,
      cell: (job) =>
        job.kind === "backtest" && job.state === "done" ? (
          <input
            type="checkbox"
            aria-label={`Compare ${wordsOf(job)}`}
            checked={chosen.has(job.job_id)}
            onChange={(event) => {
              const next = new Set(chosen);
              if (event.target.checked) next.add(job.job_id);
              else next.delete(job.job_id);
              choose(next);
            }}
          />
        ) : null,
    },
  ];
}

function State({ job }: { job: Job }): ReactNode {
  const { word, mood } = JOB_STATES[job.state];
  return <Badge mood={mood}>{word}</Badge>;
}

function Progress({ job }: { job: Job }): ReactNode {
  if (job.state === "running" || job.state === "queued") {
    return (
      <span className="row">
        <progress
          value={job.progress}
          max={1}
          style={{ width: 110 }}
          aria-label={`Progress of ${wordsOf(job)}`}
        />
        <span className="muted small">
          {Math.round(job.progress * 100)}
          {"\u202f"}%{job.note === "" ? "" : `, ${job.note}`}
        </span>
      </span>
    );
  }
  return <span className="muted small">{job.state === "failed" ? (job.error ?? "") : job.note}</span>;
}

function Details({ id, close }: { id: string; close: () => void }): ReactNode {
  const job = useQuery({
    queryKey: ["job", id],
    queryFn: () => call("GET /api/v1/jobs/{job_id}", { path: { job_id: id } }),
    refetchInterval: (query) =>
      query.state.data !== undefined && !isUnderWay(query.state.data) ? false : WATCH_MS,
  });
  const { busy, act } = useAct();
  const cancel = (): void =>
    void act(async () => {
      await call("POST /api/v1/jobs/{job_id}/cancel", { path: { job_id: id } });
      return "The run will end.";
    });
  return (
    <Dialog title={job.data === undefined ? "A run" : wordsOf(job.data)} close={close} drawer>
      <Fetched what="the run" from={job}>
        {(found) => (
          <>
            <div className="row">
              <State job={found} />
              <Progress job={found} />
              {isUnderWay(found) && (
                <button type="button" disabled={busy} onClick={cancel}>
                  Cancel it
                </button>
              )}
            </div>
            {found.error && <p className="problem">{found.error}</p>}
            {found.state === "done" && <RunResult job={found} />}
          </>
        )}
      </Fetched>
    </Dialog>
  );
}
