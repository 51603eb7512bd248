// What stands where something was asked for: that it is on its way, why it was refused with a way to
// ask again, or the thing itself.

import type { ReactNode } from "react";
import { ApiError } from "../api/problem";
import { Loading, Problem } from "./Remarks";

/** What a query knows of its answer, of any library that asks. */
export interface Asked<Data> {
  data: Data | undefined;
  error: unknown;
  refetch: () => unknown;
}

interface Props<Data> {
  /** Named while it is on its way: `Fetching … `. */
  what: string;
  from: Asked<Data>;
  /** In px; kept free meanwhile, so that nothing below it jumps. */
  height?: number | undefined;
  children: (data: Data) => ReactNode;
}

export function Fetched<Data>({ what, from, height, children }: Props<Data>): ReactNode {
  const { data, error, refetch } = from;
  const problem = <Problem error={error} retry={() => void refetch()} />;
  if (data !== undefined) {
    // Read before, and refused since: shown, but not as if it were of now. Of a silence the sentence
    // on top tells, once for everything.
    return (
      <>
        {error instanceof ApiError && problem}
        {children(data)}
      </>
    );
  }
  return (
    <div className="awaited" style={height === undefined ? undefined : { minHeight: height }}>
      {error === null ? <Loading what={what} /> : problem}
    </div>
  );
}

/** Several as one: there when all are, refused when one is, and only those are asked for again. */
export function together<All extends readonly unknown[] | []>(asked: {
  [At in keyof All]: Asked<All[At]>;
}): Asked<All> {
  const all: readonly Asked<unknown>[] = asked;
  const failed = all.filter(({ error }) => error !== null);
  return {
    data: all.every(({ data }) => data !== undefined)
      ? (all.map(({ data }) => data) as unknown as All)
      : undefined,
    error: failed[0]?.error ?? null,
    refetch: () => failed.forEach(({ refetch }) => void refetch()),
  };
}
