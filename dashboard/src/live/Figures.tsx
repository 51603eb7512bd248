// What all of it comes to now.

import type { ReactNode } from "react";
import { decimal, number, percent } from "../format";
import { Gain, GainPct, toNumber } from "./parts/Amount";
import { useLive } from "./stream/store";

export function Figures(): ReactNode {
  const overview = useLive((live) => live.overview);
  const accounts = overview?.accounts ?? [];
  const unit = overview?.reporting ?? "";
  const resting = accounts.reduce((sum, account) => sum + account.resting, 0);
  const protecting = accounts.reduce((sum, account) => sum + account.protecting, 0);
  const worst = Math.max(0, ...accounts.map((account) => Number(account.drawdown_pct ?? 0)));
  const doubts = overview?.in_doubt ?? 0;
  return (
    <dl className="figures" data-testid="figures">
      <Figure label="Equity" main>
        {decimal(overview?.equity, 2)} <span className="unit">{unit}</span>
      </Figure>
      <Figure label="Today" more={<GainPct value={toNumber(overview?.day_pnl_pct)} />}>
        <Gain value={overview?.day_pnl} /> <span className="unit">{unit}</span>
      </Figure>
      <Figure
        label="Exposure"
        more={
          toNumber(overview?.exposure_pct) === null
            ? ""
            : `${percent(toNumber(overview?.exposure_pct), 1)} of equity is in coins`
        }
      >
        {decimal(overview?.exposure, 2)} <span className="unit">{unit}</span>
      </Figure>
      <Figure label="Below the peak" more={accounts.length > 1 ? "of the worst account" : ""}>
        {overview === null ? "–" : percent(worst)}
      </Figure>
      <Figure label="Working orders" more={protecting > 0 ? `${protecting} protect positions` : ""}>
        {overview === null ? "–" : number(resting, 0)}
      </Figure>
      <Figure label="In doubt" more={doubts > 0 ? "the exchange is being asked" : ""}>
        <span className={doubts > 0 ? "loss" : undefined}>
          {overview === null ? "–" : number(doubts, 0)}
        </span>
      </Figure>
    </dl>
  );
}

interface FigureProps {
  label: string;
  children: ReactNode;
  more?: ReactNode;
  main?: boolean;
}

function Figure({ label, children, more, main = false }: FigureProps): ReactNode {
  return (
    <div className={main ? "figure main" : "figure"}>
      <dt>{label}</dt>
      <dd>{children}</dd>
      {more !== undefined && <dd className="more">{more}</dd>}
    </div>
  );
}
