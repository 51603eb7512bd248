// Who asks too often is refused with 429, which does nothing and costs nothing. What was refused is
// asked again when there is room: reads in the order in which they were wanted, each once the one
// before it was answered, so that none is passed over for ever. What a person did waits for no read.

/** After which a refusal is handed on. */
const LONGEST_MS = 30_000;
const PAUSE_S = 1;

type Send = () => Promise<Response>;

let last: Promise<unknown> = Promise.resolve();
let waiting = 0;

export async function inTurn(send: Send, isRead: boolean): Promise<Response> {
  const until = Date.now() + LONGEST_MS;
  if (!isRead) return patiently(send, until);
  if (waiting === 0) {
    const response = await send();
    if (response.status !== 429) return response;
  }
  waiting += 1;
  const turn = last.then(() => patiently(send, until));
  last = turn.then(left, left);
  return turn;
}

function left(): void {
  waiting -= 1;
}

async function patiently(send: Send, until: number): Promise<Response> {
  for (;;) {
    const response = await send();
    // Seconds, as our API says it; what a proxy says otherwise, or nothing, must not become no pause.
    const said_s = Number(response.headers.get("Retry-After"));
    const wait_ms = (said_s > 0 ? said_s : PAUSE_S) * 1000;
    if (response.status !== 429 || Date.now() + wait_ms > until) return response;
    await response.arrayBuffer(); // unread it would keep its connection from others
    await new Promise((done) => setTimeout(done, wait_ms));
  }
}
