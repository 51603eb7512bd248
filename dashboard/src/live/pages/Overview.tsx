// The first screen: how much there is, one market with what was done in it, the bots, and the orders
// as they happen. Everything of it is live.

import { useState, type ReactNode } from "react";
import { Alerts } from "../Alerts";
import { BotTable } from "../BotTable";
import { EquityPanel } from "../EquityPanel";
import { Figures } from "../Figures";
import { FailoverStrip } from "../FailoverStrip";
import { MarketPanel } from "../MarketPanel";
import { OrderTable } from "../OrderTable";
import { Card } from "../parts/Card";
import { Choice } from "../parts/Field";
import { Empty, Loading } from "../parts/Remarks";
import { useIsNarrow } from "../parts/narrow";
import { useLive } from "../stream/store";
import { isWorking } from "../words";

type Shown = "all" | "working" | "doubt";

export function Overview(): ReactNode {
  return (
    <>
      <h1 className="visually-hidden">Overview</h1>
      <Figures />
      <div className="columns unfolds">
        <div className="stack">
          <MarketPanel />
          <LiveOrders />
        </div>
        <div className="stack">
          <Card title="Bots">
            <BotTable narrow />
          </Card>
          <EquityPanel height={190} />
          <FailoverStrip />
          <Alerts />
        </div>
      </div>
    </>
  );
}

function LiveOrders(): ReactNode {
  const orders = useLive((live) => live.orders);
  const isNarrow = useIsNarrow();
  const [shown, setShown] = useState<Shown>("all");
  const rows = orders?.filter(
    (order) =>
      shown === "all" ||
      (shown === "working" ? isWorking(order) : order.condition === "in_doubt"),
  );
  return (
    <Card
      title="Orders"
      sub="as they happen"
      controls={
        <Choice
          label="Orders shown"
          value={shown}
          set={setShown}
          options={[
            ["all", "All"],
            ["working", "Working"],
            ["doubt", "In doubt"],
          ]}
        />
      }
    >
      {rows === undefined ? (
        <Loading what="orders" />
      ) : rows.length === 0 ? (
        <Empty title={EMPTY[shown]} />
      ) : (
        <OrderTable orders={rows.slice(0, isNarrow ? 10 : 40)} capped live />
      )}
    </Card>
  );
}

const EMPTY: Record<Shown, string> = {
  all: "No orders yet. They appear here the moment they are armed.",
  working: "Nothing rests at the exchange.",
  doubt: "Nothing is in doubt.",
};
