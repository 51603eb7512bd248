// Where one can go, and what waits there.

import type { ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { signOut, useSession } from "./api/session";
import { Choice } from "./parts/Field";
import { tellProblem } from "./parts/toasts";
import { useLive } from "./stream/store";
import { usePalette } from "./theme";

interface Place {
  path: string;
  name: string;
  scope?: "admin" | "research";
}

const PLACES: readonly Place[] = [
  { path: "/", name: "Overview" },
  { path: "/bots", name: "Bots" },
  { path: "/orders", name: "Orders" },
  { path: "/risk", name: "Risk" },
  { path: "/cluster", name: "Cluster" },
  { path: "/research", name: "Research", scope: "research" },
  { path: "/accounts", name: "Accounts" },
  { path: "/people", name: "People" },
  { path: "/audit", name: "Audit", scope: "admin" },
];

export function Nav({ isOpen }: { isOpen: boolean }): ReactNode {
  const session = useSession();
  const [path] = useLocation();
  const doubts = useLive((live) => live.overview?.in_doubt ?? 0);
  const { choice, choose } = usePalette();
  if (session.phase !== "in") return null;
  const { me } = session;
  const isHere = (place: string): boolean =>
    place === "/" ? path === "/" : path === place || path.startsWith(`${place}/`);
  return (
    <nav id="nav" className={isOpen ? "nav open" : "nav"} aria-label="Pages">
      <ul>
        {PLACES.filter(({ scope }) => scope === undefined || me.scopes.includes(scope)).map(
          ({ path: to, name }) => (
            <li key={to}>
              <Link href={to} aria-current={isHere(to) ? "page" : undefined}>
                {name}
                {to === "/orders" && doubts > 0 && (
                  <span className="count loss">
                    {doubts} <span className="small">in doubt</span>
                  </span>
                )}
              </Link>
            </li>
          ),
        )}
      </ul>
      <div className="who">
        <b>{me.name}</b>
        {me.role}
        <div className="row">
          <Choice
            label="Colours"
            value={choice}
            set={choose}
            options={[
              ["auto", "Auto"],
              ["light", "Light"],
              ["dark", "Dark"],
            ]}
          />
        </div>
        <div className="row">
          <button type="button" onClick={() => void signOut().catch(tellProblem)}>
            Sign out
          </button>
        </div>
      </div>
    </nav>
  );
}
