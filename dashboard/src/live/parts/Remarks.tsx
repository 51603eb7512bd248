// What stands where there is nothing to show, or something went wrong: said plainly, with what to do.

import type { ReactNode } from "react";
import { ApiError } from "../api/problem";

export function Empty({ title, children }: { title: string; children?: ReactNode }): ReactNode {
  return (
    <div className="empty">
      <p className="strong">{title}</p>
      {children !== undefined && <p>{children}</p>}
    </div>
  );
}

export function Loading({ what }: { what: string }): ReactNode {
  return <p className="loading">Fetching {what} …</p>;
}

interface Failed {
  error: unknown;
  retry?: (() => void) | undefined;
  inline?: boolean;
}

/** An error in the API's own words: what was seen, what was expected, what to do. */
export function Problem({ error, retry, inline = false }: Failed): ReactNode {
  const { title, detail, request } = wordsOf(error);
  return (
    <div className={inline ? "problem inline" : "problem"} role="alert">
      <p className="strong">{title}</p>
      {detail !== "" && <p>{detail}</p>}
      {request !== "" && <p className="small muted">Request {request}</p>}
      {retry !== undefined && (
        <div className="row">
          <button type="button" onClick={retry}>
            Try again
          </button>
        </div>
      )}
    </div>
  );
}

export function wordsOf(error: unknown): { title: string; detail: string; request: string } {
  if (error instanceof ApiError) {
    return { title: error.title, detail: error.detail, request: error.requestId };
  }
  if (error instanceof TypeError) {
    return {
      title: "The API does not answer.",
      detail: "The dashboard goes on trying. Is `holdfast api` still running?",
      request: "",
    };
  }
  return { title: "That did not work.", detail: String(error), request: "" };
}
