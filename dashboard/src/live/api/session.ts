// Who is signed in. The access token lives in this page's memory only; what carries a session on is
// a cookie that no script can read. Tabs take turns at renewing, so that none uses up another's.

import { useSyncExternalStore } from "react";
import { ApiError, read } from "./problem";
import type { Me, SignedIn } from "./schema";

export type Session =
  | { phase: "unknown"; error?: unknown }
  | { phase: "out"; error?: unknown }
  | { phase: "in"; me: Me };

const SPARE_MS = 20_000;
const AGAIN_MS = 2_000;

let session: Session = { phase: "unknown" };
let token = "";
let untilMs = 0;
let renewing: Promise<boolean> | null = null;
let asking: ((confirmed: boolean) => void) | null = null;
const listeners = new Set<() => void>();

function tell(): void {
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useSession(): Session {
  return useSyncExternalStore(subscribe, () => session);
}

/** Whether somebody is to prove again who he is; the answer goes to `answerConfirm`. */
export function useConfirmAsked(): boolean {
  return useSyncExternalStore(subscribe, () => asking !== null);
}

function signedIn(answer: SignedIn): void {
  token = answer.access_token;
  untilMs = Date.now() + answer.expires_in_s * 1000;
  session = { phase: "in", me: answer.me };
  tell();
}

function signedOut(error?: unknown): void {
  token = "";
  untilMs = 0;
  session = error === undefined ? { phase: "out" } : { phase: "out", error };
  tell();
}

async function post(path: string, body: unknown, signed = false): Promise<unknown> {
  const headers: Record<string, string> = {
    Accept: "application/json",
    "Content-Type": "application/json",
  };
  if (signed) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, {
    method: "POST",
    headers,
    credentials: "same-origin",
    body: JSON.stringify(body),
  });
  return read(response);
}

/** At the start of the page: by what opened it, else by the session that goes on. */
export async function begin(): Promise<void> {
  const handed = new URLSearchParams(location.hash.slice(1));
  const code = handed.get("link");
  if (code !== null) {
    // Used up by being redeemed, and not left where the history or a neighbour would show it.
    history.replaceState(null, "", location.pathname + location.search);
    try {
      signedIn((await post(PATHS.link, { code })) as SignedIn);
      return;
    } catch (error) {
      // Used before, perhaps by this very browser.
      if (!(await renew())) signedOut(error);
      return;
    }
  }
  // For who is to come, whoever else is signed in in this browser.
  if (handed.has("invitation")) return signedOut();
  const refusal = refusedElsewhere();
  while (!(await renew()) && session.phase === "unknown") {
    await new Promise((done) => setTimeout(done, AGAIN_MS));
  }
  if (refusal !== null && session.phase === "out") signedOut(refusal);
}

/** What a sign-in at the provider came to, which sent the browser back with a word in the address. */
function refusedElsewhere(): ApiError | null {
  const code = new URLSearchParams(location.search).get("sign-in");
  if (code === null) return null;
  history.replaceState(null, "", location.pathname);
  const [title, detail] = REFUSED_ELSEWHERE[code] ?? [
    "That sign-in came to nothing.",
    "It was broken off, took too long, or was begun in another browser. Begin again.",
  ];
  return new ApiError(401, { code, title, detail });
}

export async function signIn(name: string, password: string, totp: string): Promise<void> {
  signedIn((await post(PATHS.signIn, { name, password, totp })) as SignedIn);
}

export async function acceptInvitation(code: string, password: string): Promise<void> {
  signedIn((await post(PATHS.invitation, { code, password })) as SignedIn);
}

export async function signOut(): Promise<void> {
  try {
    await post(PATHS.signOut, {}, true);
  } finally {
    signedOut();
  }
}

/** The access token, renewed when it is about to end; empty when nobody is signed in. */
export async function bearer(): Promise<string> {
  if (session.phase === "in" && Date.now() > untilMs - SPARE_MS) await renew();
  return token;
}

/** Carry the session on. False when it has ended; the page asks to sign in then. */
export function renew(): Promise<boolean> {
  renewing ??= carryOn().finally(() => {
    renewing = null;
  });
  return renewing;
}

async function carryOn(): Promise<boolean> {
  try {
    const answer = await navigator.locks.request("holdfast-session", () =>
      post(PATHS.refresh, {}),
    );
    signedIn(answer as SignedIn);
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status < 500 && error.status !== 429) {
      signedOut();
      return false;
    }
    // Nobody answers: whoever is signed in stays so, and the figures say how old they are.
    if (session.phase === "unknown") {
      session = { phase: "unknown", error };
      tell();
    }
    return false;
  }
}

/** Ask the person to prove again who he is; false when he would not. */
export function confirmAgain(): Promise<boolean> {
  return new Promise((resolve) => {
    asking = (confirmed) => {
      asking = null;
      tell();
      resolve(confirmed);
    };
    tell();
  });
}

export async function confirm(password: string, totp: string): Promise<void> {
  signedIn((await post(PATHS.confirm, { password, totp }, true)) as SignedIn);
  asking?.(true);
}

export function declineConfirm(): void {
  asking?.(false);
}

const REFUSED_ELSEWHERE: Readonly<Record<string, readonly [title: string, detail: string]>> = {
  oidc_unknown_user: [
    "Google knows you, but you are no user here.",
    "Ask an administrator to invite the mail address that you have there. If you signed in here by another Google account before, use that one.",
  ],
  throttled: ["Too many sign-ins came to nothing.", "Wait a minute, then begin again."],
};

// The browser's refresh token is to come in a cookie, not in the answer.
const PATHS = {
  signIn: "/api/v1/auth/sign-in?cookie=true",
  link: "/api/v1/auth/link?cookie=true",
  invitation: "/api/v1/auth/invitation?cookie=true",
  refresh: "/api/v1/auth/refresh",
  confirm: "/api/v1/auth/confirm?cookie=true",
  signOut: "/api/v1/auth/sign-out",
} as const;
