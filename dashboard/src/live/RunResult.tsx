// What came of a run: its figures, the best trials of a sweep, and several backtests side by side.

import { useQueries, useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { call } from "./api/http";
import { save } from "./api/files";
import type { Job } from "./api/schema";
import { number } from "../format";
import { FIGURES, type Figure } from "../report/figures";
import { Fetched, together } from "./parts/Fetched";
import { Table, type Column } from "./parts/Table";
import { tellProblem } from "./parts/toasts";
import { wordsOf } from "./pages/Research";

type Figures = Record<string, unknown>;

interface Swept {
  objective?: string;
  best?: { params?: Record<string, unknown>; value?: number };
  trials?: { number?: number; params?: Record<string, unknown>; value?: number | null; state?: string }[];
  warnings?: string[];
  out_of_sample?: { value?: number } | null;
}

export function RunResult({ job }: { job: Job }): ReactNode {
  const found = useQuery({
    queryKey: ["result", job.job_id],
    queryFn: () => call("GET /api/v1/jobs/{job_id}/result", { path: { job_id: job.job_id } }),
    staleTime: Infinity,
  });
  return (
    <Fetched what="the result" from={found}>
      {({ result }) => <Result job={job} result={result} />}
    </Fetched>
  );
}

function Result({ job, result }: { job: Job; result: Figures }): ReactNode {
  const warnings = (result.warnings as string[] | undefined) ?? [];
  return (
    <>
      {warnings.map((warning) => (
        <p className="remark" key={warning}>
          {warning}
        </p>
      ))}
      {job.kind === "sweep" ? (
        <Sweep result={result as Swept} />
      ) : (
        <FigureList figures={(result.figures as Figures | undefined) ?? result} />
      )}
      {job.files.length > 0 && (
        <div className="row">
          {job.files.map((file) => (
            <button
              key={file}
              type="button"
              onClick={() =>
                void save(job.job_id, file, `${job.kind}-${job.job_id.slice(0, 8)}-${file}`).catch(
                  tellProblem,
                )
              }
            >
              Save {file}
            </button>
          ))}
        </div>
      )}
    </>
  );
}

function FigureList({ figures }: { figures: Figures }): ReactNode {
  return (
    <dl className="facts">
      {FIGURES.filter(({ key }) => key in figures).map((figure) => (
        <Fact key={figure.key} label={figure.label} value={shown(figures, figure)} />
      ))}
    </dl>
  );
}

function Fact({ label, value }: { label: string; value: string }): ReactNode {
  return (
    <>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </>
  );
}

function shown(figures: Figures, figure: Figure): string {
  const value = figures[figure.key];
  return figure.shown(value === null || value === undefined ? null : Number(value));
}

function Sweep({ result }: { result: Swept }): ReactNode {
  const trials = result.trials ?? [];
  const names = Object.keys(trials[0]?.params ?? result.best?.params ?? {});
  const columns: Column<(typeof trials)[number]>[] = [
    { label: result.objective ?? "Value", cell: (trial) => number(trial.value, 3), right: true },
    ...names.map((name) => ({
      label: name.replaceAll("_", " "),
      right: true,
      cell: (trial: (typeof trials)[number]) => String(trial.params?.[name] ?? "–"),
    })),
  ];
  return (
    <>
      <p>
        Best {result.objective}: <b>{number(result.best?.value, 3)}</b> with{" "}
        {Object.entries(result.best?.params ?? {})
          .map(([name, value]) => `${name} ${String(value)}`)
          .join(", ")}
      </p>
      {trials.length > 0 && (
        <Table
          name="Trials, best first"
          rows={trials.map((trial, at) => ({ ...trial, number: trial.number ?? at }))}
          columns={columns}
          rowKey={(trial) => String(trial.number)}
          capped
        />
      )}
    </>
  );
}

export function RunComparison({ jobs }: { jobs: readonly Job[] }): ReactNode {
  const found = useQueries({
    queries: jobs.map(({ job_id }) => ({
      queryKey: ["result", job_id],
      queryFn: () => call("GET /api/v1/jobs/{job_id}/result", { path: { job_id } }),
      staleTime: Infinity,
    })),
  });
  return (
    <Fetched what="the results" from={together(found)}>
      {(results) => (
        <Compared
          runs={jobs.map((job, at) => {
            const result = results[at]?.result ?? {};
            return { job, figures: (result.figures as Figures | undefined) ?? result };
          })}
        />
      )}
    </Fetched>
  );
}

function Compared({ runs }: { runs: readonly { job: Job; figures: Figures }[] }): ReactNode {
  const columns: Column<Figure>[] = [
    { label: "Figure", cell: ({ label }) => <span className="strong">{label}</span> },
    ...runs.map(({ job, figures }, at) => ({
      label: `${at + 1}. ${wordsOf(job)}`,
      right: true,
      cell: (figure: Figure) => shown(figures, figure),
    })),
  ];
  const rows = FIGURES.filter(({ key }) => runs.some(({ figures }) => key in figures));
  return <Table name="Runs compared" rows={rows} columns={columns} rowKey={({ key }) => key} />;
}
