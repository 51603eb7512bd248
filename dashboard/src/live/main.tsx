import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { ApiError } from "./api/problem";
import { begin } from "./api/session";
import "./style.css";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // A refusal stays one; a silence is asked again, by the query and by the page's reconnecting.
      retry: (failures, error) => failures < 3 && (!(error instanceof ApiError) || mayPass(error)),
      retryDelay: (failures, error) =>
        error instanceof ApiError && error.retryAfter_s !== null
          ? error.retryAfter_s * 1000
          : Math.min(500 * 2 ** failures, 4_000),
    },
  },
});

function mayPass(error: ApiError): boolean {
  return error.status >= 500;
}

if (isSecureContext) void begin();
// A link or an invitation that is opened where the page is open already changes its address only.
addEventListener("hashchange", () => {
  if (/^#(link|invitation)=/.test(location.hash)) void begin();
});
createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
