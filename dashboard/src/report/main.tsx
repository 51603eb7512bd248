import { StrictMode, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { readRuns } from "./document";
import "./style.css";

function page(): ReactNode {
  try {
    return <App runs={readRuns()} />;
  } catch (error) {
    return (
      <p className="problem" role="alert">
        {error instanceof Error ? error.message : String(error)}
      </p>
    );
  }
}

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>{page()}</StrictMode>,
);
