// Keeps the live store true: a snapshot, then the stream of changes from exactly there on. A stream
// that breaks is begun again where it ended; meanwhile the page says how old it is.

import { bearer, renew } from "../api/session";
import { ApiError } from "../api/problem";
import { refreshHoldings, refreshSummary, snapshot } from "./snapshot";
import { live } from "./store";
import { take, type Frame } from "./take";

const TOPICS = ["prices", "orders", "positions", "equity", "alerts", "cluster"] as const;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
/** What the stream does not tell (whether nodes live) is asked for: now and then, and soon after news. */
const SUMMARY_MS = 10_000;
/** Pauses after news: the journal tells of a new leader before the leases and the dead node do. */
const AFTER_NEWS_MS = [250, 1_250, 2_500] as const;
const SILENCE_MS = 45_000;
/** The socket is given the next token before the last one ends. */
const TOKEN_MS = 10_000;
const UNPROVED = 4401;

let current: Follower | null = null;

/** Follow until what is returned is called. */
export function follow(): () => void {
  const follower = new Follower();
  current = follower;
  void follower.run();
  return () => {
    follower.end();
    if (current === follower) current = null;
    live.forget();
  };
}

/** Something was done: look soon what it changed. */
export function refreshSoon(): void {
  current?.soon();
}

class Follower {
  private ended = false;
  private socket: WebSocket | null = null;
  private positions: Record<string, number> = {};
  /** Accounts for which all was asked for anew, because the snapshot was without them. */
  private sought = new Set<string>();
  private wait_ms = FIRST_WAIT_MS;
  private heard = 0;
  private told = "";
  private pauses_ms: number[] = [];
  private summary: ReturnType<typeof setTimeout> | undefined;
  private wake: (() => void) | null = null;

  async run(): Promise<void> {
    addEventListener("online", this.hurry);
    document.addEventListener("visibilitychange", this.hurry);
    let whole = false;
    while (!this.ended) {
      let why: string;
      try {
        if (!whole) {
          this.positions = await snapshot();
          whole = true;
        }
        this.keepSummary();
        why = await this.listen();
        if (why === START_OVER) whole = false;
      } catch (error) {
        why = error instanceof ApiError ? error.title : "The API does not answer.";
        if (error instanceof ApiError && error.status === 401 && !(await renew())) return;
      }
      if (!this.ended) await this.pause(why === START_OVER ? "" : why);
    }
  }

  end(): void {
    this.ended = true;
    removeEventListener("online", this.hurry);
    document.removeEventListener("visibilitychange", this.hurry);
    clearTimeout(this.summary);
    this.socket?.close();
    this.wake?.();
  }

  soon(): void {
    // While a look is due already more news only makes it go on longer: news may come in a flood.
    const isDue = this.pauses_ms.length > 0;
    this.pauses_ms = isDue ? AFTER_NEWS_MS.slice(1) : [...AFTER_NEWS_MS];
    if (!isDue) this.keepSummary();
  }

  /** One connection, from the greeting to its end; why it ended, for people. */
  private async listen(): Promise<string> {
    const token = await bearer();
    const address = new URL("/api/v1/stream", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    return new Promise((resolve) => {
      const socket = new WebSocket(address);
      this.socket = socket;
      // A line that is cut without a word would look alive for ever.
      const watch = setInterval(() => {
        if (Date.now() - this.heard > SILENCE_MS) socket.close(4000, SILENCE);
      }, 1_000);
      const prove = setInterval(() => void this.proveAgain(socket), TOKEN_MS);
      this.heard = Date.now();
      this.told = token;
      socket.onopen = () =>
        socket.send(
          JSON.stringify({ type: "auth", token, topics: TOPICS, after: this.positions }),
        );
      socket.onmessage = (event: MessageEvent<string>) => {
        this.heard = Date.now();
        this.hear(JSON.parse(event.data) as Frame);
      };
      socket.onclose = (event) => {
        clearInterval(watch);
        clearInterval(prove);
        this.socket = null;
        if (event.code === UNPROVED) void renew();
        resolve(event.reason === START_OVER ? START_OVER : reasonOf(event));
      };
    });
  }

  private async proveAgain(socket: WebSocket): Promise<void> {
    const token = await bearer();
    if (token === this.told || socket.readyState !== WebSocket.OPEN) return;
    this.told = token;
    socket.send(JSON.stringify({ type: "auth", token }));
  }

  private hear(frame: Frame): void {
    if (live.latest.link.phase !== "live") {
      live.set({ link: { phase: "live", since: this.heard } });
      this.wait_ms = FIRST_WAIT_MS;
    }
    if (frame.account && frame.seq) {
      this.positions[frame.account] = Math.max(this.positions[frame.account] ?? 0, frame.seq);
    }
    if (frame.topic === "ready" && this.lacks(frame as unknown as Ready)) {
      this.socket?.close(4009, START_OVER);
      return;
    }
    const heard = take(frame, this.heard);
    if (heard === "look") this.soon();
    if (heard === "start over") this.socket?.close(4009, START_OVER);
  }

  /** Whether an account was read only after the snapshot was made. Asked for once each. */
  private lacks({ positions }: Ready): boolean {
    const missing = Object.keys(positions).filter(
      (name) => !(name in this.positions) && !this.sought.has(name),
    );
    for (const name of missing) this.sought.add(name);
    return missing.length > 0;
  }

  private keepSummary(): void {
    clearTimeout(this.summary);
    const pause_ms = this.pauses_ms.shift();
    this.summary = setTimeout(() => void this.refresh(pause_ms === undefined), pause_ms ?? SUMMARY_MS);
  }

  /** Look at what the stream does not tell, now and then at the rest as well: a page that nobody
   * sees asks for nothing, since all the pages of a user share what he may ask for. */
  private async refresh(isWhole: boolean): Promise<void> {
    try {
      if (!document.hidden) {
        await Promise.all([refreshSummary(), ...(isWhole ? [refreshHoldings()] : [])]);
      }
    } catch {
      // The stream's own end tells of it; the sentence on top says how old it is.
    }
    if (!this.ended) this.keepSummary();
  }

  private async pause(why: string): Promise<void> {
    const wait_ms = this.wait_ms * (0.75 + Math.random() / 2);
    this.wait_ms = Math.min(this.wait_ms * 2, LONGEST_WAIT_MS);
    const before = live.latest.link;
    const since = before.phase === "lost" ? before.since : Date.now();
    live.set({ link: { phase: "lost", since, retryAt: Date.now() + wait_ms, why } });
    await new Promise<void>((resolve) => {
      this.wake = resolve;
      setTimeout(resolve, wait_ms);
    });
    this.wake = null;
  }

  /** The machine is back on the network, or the page in sight: try at once. */
  private readonly hurry = (): void => {
    if (document.hidden) return;
    this.wake?.();
    if (this.socket !== null) this.soon();
  };
}

interface Ready {
  /** How far the journal of each account has been read. */
  positions: Record<string, number>;
}

const START_OVER = "start over";
const SILENCE = "silence";

function reasonOf(event: CloseEvent): string {
  return event.reason === "" || event.reason === SILENCE ? "" : `${event.reason}.`;
}
