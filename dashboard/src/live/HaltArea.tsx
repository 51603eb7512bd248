// HALT: in reach on every page. One press asks, one more acts; nothing to read in between. What
// lifts a halt asks longer, because it adds risk again.

import { useEffect, useRef, useState, type ReactNode } from "react";
import { haltAll, resumeAll, said } from "./commands";
import { useSession } from "./api/session";
import { Dialog } from "./parts/Dialog";
import { tell, tellProblem } from "./parts/toasts";
import { useLive } from "./stream/store";
import { LEVELS } from "./words";

export function HaltArea(): ReactNode {
  const session = useSession();
  const halt = useLive((live) => live.overview?.halt ?? null);
  const [asks, setAsks] = useState(false);
  const [resumes, setResumes] = useState(false);
  const [busy, setBusy] = useState(false);
  const start = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (event.altKey && event.shiftKey && event.code === "KeyH") {
        event.preventDefault();
        setAsks(true);
      }
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, []);

  if (session.phase !== "in" || !session.me.scopes.includes("trade")) return null;
  const stop = async (): Promise<void> => {
    setAsks(false);
    setBusy(true);
    try {
      tell(said("Halt", await haltAll("entries", "HALT on the dashboard")), "good");
    } catch (error) {
      tellProblem(error);
    } finally {
      setBusy(false);
      start.current?.focus();
    }
  };
  return (
    <div className="halt-area">
      {halt !== null && !asks && (
        <button type="button" onClick={() => setResumes(true)}>
          Resume …
        </button>
      )}
      {asks ? (
        <Confirm
          act={() => void stop()}
          leave={() => {
            setAsks(false);
            requestAnimationFrame(() => start.current?.focus());
          }}
        />
      ) : (
        <button
          ref={start}
          type="button"
          className="halt"
          disabled={busy}
          title="Stops all new entries, on all accounts (Alt+Shift+H)"
          onClick={() => setAsks(true)}
        >
          {busy ? "HALTING …" : "HALT"}
        </button>
      )}
      {resumes && <Resume close={() => setResumes(false)} />}
    </div>
  );
}

function Confirm({ act, leave }: { act: () => void; leave: () => void }): ReactNode {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => button.current?.focus(), []);
  return (
    <div
      className="halt-area"
      onKeyDown={(event) => {
        if (event.key === "Escape") leave();
      }}
    >
      <button type="button" onClick={leave}>
        Keep trading
      </button>
      <button ref={button} type="button" className="halt" onClick={act}>
        HALT ALL NOW <span aria-hidden="true">⏎</span>
      </button>
    </div>
  );
}

function Resume({ close }: { close: () => void }): ReactNode {
  const accounts = useLive((live) => live.overview?.accounts ?? NONE);
  const [busy, setBusy] = useState(false);
  const halted = accounts.filter((account) => account.halt);
  const go = async (): Promise<void> => {
    setBusy(true);
    try {
      tell(said("Resume", await resumeAll()), "good");
      close();
    } catch (error) {
      tellProblem(error);
      setBusy(false);
    }
  };
  return (
    <Dialog title="Trade again?" close={close}>
      <p>The bots of these accounts will open positions again, at once:</p>
      <dl className="facts">
        {halted.map((account) => (
          <HaltedAccount key={account.name} name={account.name} halt={account.halt} why={account.reason} />
        ))}
      </dl>
      <div className="form-end">
        <button type="button" onClick={close}>
          Stay halted
        </button>
        <button type="button" className="primary" disabled={busy} onClick={() => void go()}>
          {busy ? "Resuming …" : "Resume all"}
        </button>
      </div>
    </Dialog>
  );
}

const NONE: readonly never[] = [];

function HaltedAccount(props: {
  name: string;
  halt: keyof typeof LEVELS | null | undefined;
  why: string;
}): ReactNode {
  const level = props.halt ? LEVELS[props.halt].word : "";
  return (
    <>
      <dt>{props.name}</dt>
      <dd>
        {level}
        {props.why !== "" && `: ${props.why}`}
      </dd>
    </>
  );
}
