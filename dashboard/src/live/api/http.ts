// Calls of the API, with the types of its OpenAPI document. A mutating call carries a key, so that
// asking again after a lost answer does nothing twice; what needs a fresh proof asks for one.

import { ApiError, read } from "./problem";
import type { Routes } from "./schema";
import { bearer, confirmAgain, renew } from "./session";
import { inTurn } from "./turns";

export type Route = keyof Routes;
type Part<R extends Route, Name extends string> = Routes[R] extends { [K in Name]: infer Found }
  ? { [K in Name]: Found }
  : Routes[R] extends { [K in Name]?: infer Found }
    ? { [K in Name]?: Found }
    : unknown;
export type Sent<R extends Route> = Part<R, "path"> &
  Part<R, "query"> &
  Part<R, "body"> & { ifMatch?: string; signal?: AbortSignal };
export type Answer<R extends Route> = Routes[R]["answer"];

const AGAIN_AFTER_MS = [400, 1500];
const PASSING = new Set([502, 504]);

/**
 * Call a route and return what it answers.
 *
 * Throws ApiError for a refusal, TypeError when nobody answers.
 */
export async function call<R extends Route>(route: R, sent: Sent<R>): Promise<Answer<R>> {
  const loose = sent as Loose;
  const [method = "GET", path = ""] = route.split(" ");
  try {
    return (await attempt(method, path, loose)) as Answer<R>;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401 && (await renew())) {
      return (await attempt(method, path, loose)) as Answer<R>;
    }
    if (error.code === "step_up_required" && (await confirmAgain())) {
      return (await attempt(method, path, loose)) as Answer<R>;
    }
    throw error;
  }
}

interface Loose {
  path?: Record<string, unknown>;
  query?: Record<string, unknown>;
  body?: unknown;
  ifMatch?: string;
  signal?: AbortSignal;
}

async function attempt(method: string, path: string, sent: Loose): Promise<unknown> {
  const headers = new Headers({ Accept: "application/json" });
  const token = await bearer();
  if (token !== "") headers.set("Authorization", `Bearer ${token}`);
  if (method !== "GET") headers.set("Idempotency-Key", crypto.randomUUID());
  if (sent.ifMatch !== undefined) headers.set("If-Match", sent.ifMatch);
  if (sent.body !== undefined) headers.set("Content-Type", "application/json");
  const request: RequestInit = {
    method,
    headers,
    credentials: "same-origin",
    ...(sent.body === undefined ? {} : { body: JSON.stringify(sent.body) }),
    ...(sent.signal === undefined ? {} : { signal: sent.signal }),
  };
  const url = address(path, sent);
  const response = await inTurn(() => persistently(url, request), method === "GET");
  return read(response);
}

/** The same request with the same key, when the answer to it was lost on the way. */
async function persistently(url: string, request: RequestInit): Promise<Response> {
  for (const wait_ms of AGAIN_AFTER_MS) {
    try {
      const response = await fetch(url, request);
      if (request.method === "GET" || !PASSING.has(response.status)) return response;
    } catch (error) {
      if (request.method === "GET" || !(error instanceof TypeError)) throw error;
    }
    await new Promise((done) => setTimeout(done, wait_ms));
  }
  return fetch(url, request);
}

function address(path: string, { path: parts = {}, query = {} }: Loose): string {
  const filled = path.replace(/\{(\w+)(?::\w+)?\}/g, (_whole, name: string) =>
    encodeURIComponent(String(parts[name])),
  );
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) asked.append(name, String(one));
  }
  const text = asked.toString();
  return text === "" ? filled : `${filled}?${text}`;
}
