// What a person asks of the leaders of accounts. Each is a command in the journal, with who asked; the
// answer says where it took effect, or that nobody has taken it yet.

import { call } from "./api/http";
import type { Command, HaltLevel } from "./api/schema";

export async function haltAll(level: HaltLevel, reason: string): Promise<readonly Command[]> {
  const given = await call("POST /api/v1/halt", { body: { level, reason }, query: WAIT });
  return given.items;
}

export async function resumeAll(): Promise<readonly Command[]> {
  const given = await call("POST /api/v1/resume", { query: WAIT });
  return given.items;
}

/** Seconds that an answer may wait for the leader; longer, and it says so. */
export const WAIT = { wait_s: 3 } as const;

/** One sentence of what became of it. */
export function said(what: string, given: readonly Command[]): string {
  const waiting = given.filter((one) => one.state === "waiting").map((one) => one.account);
  const taken = given.filter((one) => one.state === "taken");
  const parts: string[] = [];
  if (taken.length > 0) {
    const where = taken.map((one) => `${one.account} at record ${one.seq ?? "?"}`);
    parts.push(`${what} took effect: ${where.join(", ")}.`);
  }
  if (waiting.length > 0) {
    parts.push(
      `${what} is asked for on ${waiting.join(", ")}; the next leader there takes it before anything else.`,
    );
  }
  return parts.join(" ") || `${what}: there was nothing to do.`;
}
