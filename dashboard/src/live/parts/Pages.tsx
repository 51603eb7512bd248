// A list that goes on further back than what was fetched first: asked for page by page, newest first.

import {
  keepPreviousData,
  useInfiniteQuery,
  type InfiniteData,
  type Query,
} from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Fetched, type Asked } from "./Fetched";
import { Empty } from "./Remarks";

/** How many rows a page has. */
export const PAGE = 50;

interface Page<Row> {
  items: readonly Row[];
  next_cursor?: string | null;
}

/** What is asked for beside the filters: the rest of a list after its last page. */
export interface From {
  limit: number;
  cursor?: string;
}

interface Settings<Row> {
  /** Milliseconds after which it is read again; never once older pages were asked for as well. */
  again?: number | false | ((rows: readonly Row[]) => number | false);
  /** Rows stay while others are fetched under another key. */
  keeps?: boolean;
  limit?: number;
}

export interface Paged<Row> extends Asked<readonly Row[]> {
  /** Undefined when there is nothing further back. */
  more: (() => void) | undefined;
  busy: boolean;
}

export function usePages<Row>(
  key: readonly unknown[],
  ask: (from: From) => Promise<Page<Row>>,
  { again = false, keeps = false, limit = PAGE }: Settings<Row> = {},
): Paged<Row> {
  type Pages = InfiniteData<Page<Row>, string>;
  const pages = useInfiniteQuery<Page<Row>, Error, Pages, readonly unknown[], string>({
    queryKey: key,
    queryFn: ({ pageParam }) => ask({ limit, ...(pageParam === "" ? {} : { cursor: pageParam }) }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    // All pages are read again, not the first one alone: who looks far back would pay for it.
    refetchInterval: ({ state: { data } }: Query<Page<Row>, Error, Pages>) =>
      data !== undefined && data.pages.length > 1
        ? false
        : typeof again === "function"
          ? again(rowsOf(data) ?? [])
          : again,
    ...(keeps ? { placeholderData: keepPreviousData } : {}),
  });
  return {
    data: rowsOf(pages.data),
    error: pages.error,
    refetch: pages.refetch,
    more: pages.hasNextPage ? () => void pages.fetchNextPage() : undefined,
    busy: pages.isFetchingNextPage,
  };
}

function rowsOf<Row>(
  found: InfiniteData<Page<Row>, string> | undefined,
): readonly Row[] | undefined {
  return found?.pages.flatMap((page) => page.items);
}

interface Props<Row> {
  what: string;
  from: Paged<Row>;
  /** What stands there when the list is empty. */
  none?: ReactNode;
  children: (rows: readonly Row[]) => ReactNode;
}

export function Pages<Row>({ what, from, none, children }: Props<Row>): ReactNode {
  const { more, busy } = from;
  return (
    <Fetched what={what} from={from}>
      {(rows) =>
        rows.length === 0 ? (
          (none ?? <Empty title={`No ${what} like that.`} />)
        ) : (
          <>
            {children(rows)}
            <div className="pages">
              <span>{rows.length.toLocaleString("en-US")} shown</span>
              {more !== undefined && (
                <button type="button" disabled={busy} onClick={more}>
                  {busy ? "Fetching …" : "Older"}
                </button>
              )}
            </div>
          </>
        )
      }
    </Fetched>
  );
}
