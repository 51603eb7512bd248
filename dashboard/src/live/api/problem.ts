// What a response says: its content, or the problem that it tells of (RFC 9457).

import type { Problem } from "./schema";

/** A refusal in the API's own words. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly requestId: string;
  readonly fields: Readonly<Record<string, string>>;
  /** After which a refused request may be tried again; null when it says nothing of it. */
  readonly retryAfter_s: number | null;

  constructor(status: number, problem: Partial<Problem>, retryAfter_s: number | null = null) {
    const title = problem.title ?? `The API answered with ${status}.`;
    super(title);
    this.status = status;
    this.retryAfter_s = retryAfter_s;
    this.code = problem.code ?? "";
    this.title = title;
    this.detail = problem.detail ?? "";
    this.requestId = problem.instance ?? "";
    this.fields = Object.fromEntries(
      (problem.errors ?? []).map((one) => [one.at ?? "", one.why ?? ""]),
    );
  }
}

/** What a response says. Throws ApiError unless it is a success. */
export async function read(response: Response): Promise<unknown> {
  const isJson = /[/+]json/.test(response.headers.get("Content-Type") ?? "");
  if (response.ok) return response.status === 204 || !isJson ? undefined : response.json();
  const problem = isJson ? ((await response.json()) as Partial<Problem>) : {};
  const after = response.headers.get("Retry-After");
  throw new ApiError(response.status, problem, after === null ? null : Number(after));
}
