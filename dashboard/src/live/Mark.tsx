import type { ReactNode } from "react";
import { Link } from "wouter";

/** The name, which leads home. */
export function Mark({ linked = true }: { linked?: boolean }): ReactNode {
  const inside = (
    <>
      <svg viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="7" fill="var(--accent-strong)" />
        <path
          d="M10 7v18M22 7v18M10 16h12"
          stroke="#fff"
          strokeWidth="4"
          strokeLinecap="round"
          fill="none"
        />
      </svg>
      <span>Holdfast</span>
    </>
  );
  if (!linked) return <div className="mark">{inside}</div>;
  return (
    <Link href="/" className="mark" aria-label="Holdfast, overview">
      {inside}
    </Link>
  );
}
