// Short news of what was asked for: taken at which place, or not yet, or refused.

import { useSyncExternalStore, type ReactNode } from "react";
import { createPortal } from "react-dom";
import { useFront } from "./layers";
import { wordsOf } from "./Remarks";

interface Toast {
  id: number;
  mood: "good" | "bad" | "note";
  text: string;
}

const SHOWN_MS = 6000;
const MOST = 4;

let toasts: readonly Toast[] = [];
let last = 0;
const listeners = new Set<() => void>();

function set(next: readonly Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

export function tell(text: string, mood: Toast["mood"] = "note"): void {
  const id = (last += 1);
  set([...toasts, { id, mood, text }].slice(-MOST));
  // Bad news stays until somebody has read it.
  if (mood !== "bad") setTimeout(() => drop(id), SHOWN_MS);
}

export function tellProblem(error: unknown): void {
  const { title, detail } = wordsOf(error);
  tell([title, detail].filter((part) => part !== "").join(" "), "bad");
}

function drop(id: number): void {
  set(toasts.filter((toast) => toast.id !== id));
}

export function Toasts(): ReactNode {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
  const front = useFront();
  return createPortal(
    <div className="toasts" role="status" aria-live="polite">
      {shown.map(({ id, mood, text }) => (
        <div key={id} className={`toast ${mood}`} role={mood === "bad" ? "alert" : undefined}>
          <p>{text}</p>
          <button type="button" onClick={() => drop(id)} aria-label="Dismiss this message">
            ✕
          </button>
        </div>
      ))}
    </div>,
    front,
  );
}
