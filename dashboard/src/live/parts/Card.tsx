// A titled block of the page.

import { useId, type ReactNode } from "react";

interface Props {
  title: string;
  sub?: ReactNode;
  controls?: ReactNode;
  children: ReactNode;
}

export function Card({ title, sub, controls, children }: Props): ReactNode {
  const id = useId();
  return (
    <section className="card" aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {sub !== undefined && <span className="sub">{sub}</span>}
        {controls !== undefined && <div className="controls">{controls}</div>}
      </header>
      {children}
    </section>
  );
}

interface HeadProps {
  title: ReactNode;
  sub?: ReactNode;
  crumb?: ReactNode;
  children?: ReactNode;
}

/** The page's name, and what can be done with what it shows. */
export function PageHead({ title, sub, crumb, children }: HeadProps): ReactNode {
  return (
    <div className="page-head">
      <div>
        {crumb !== undefined && <p className="crumb">{crumb}</p>}
        <h1>{title}</h1>
      </div>
      {sub !== undefined && <p className="sub">{sub}</p>}
      {children !== undefined && <div className="actions">{children}</div>}
    </div>
  );
}
