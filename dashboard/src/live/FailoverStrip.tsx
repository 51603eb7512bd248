// Who leads, and how leadership moved: the newest first. In the demo one may strike the leader.

import { useState, type ReactNode } from "react";
import { elapsed, when } from "../format";
import type { Failover } from "./api/schema";
import { killLeader, useDemo } from "./demo";
import { Badge } from "./parts/Badge";
import { Card } from "./parts/Card";
import { Loading } from "./parts/Remarks";
import { tell, tellProblem } from "./parts/toasts";
import { useLive } from "./stream/store";

export function FailoverStrip(): ReactNode {
  const cluster = useLive((live) => live.cluster);
  // The very first leader followed nobody.
  const moves = (cluster?.failovers ?? []).filter((one) => one.before !== null);
  return (
    <Card title="Leadership" controls={<KillLeader />}>
      {cluster === null ? (
        <Loading what="the cluster" />
      ) : (
        <>
          <div className="pad">
            <div className="row">
              {cluster.nodes.map((node) => (
                <Badge key={node.boot_id} mood={node.is_live ? "good" : "quiet"}>
                  {node.name}{" "}
                  <span className="muted">
                    {!node.is_live
                      ? "is gone"
                      : node.leads.length > 0
                        ? `leads ${node.leads.join(", ")}`
                        : "stands by"}
                  </span>
                </Badge>
              ))}
              {cluster.nodes.length === 0 && <span className="muted">No node has shown itself.</span>}
            </div>
          </div>
          <div className="strip" role="region" aria-label="Failovers, newest first" tabIndex={0}>
            {moves.length === 0 ? (
              <p className="muted small">No failover so far.</p>
            ) : (
              moves
                .slice(0, 20)
                .map((one) => <Takeover key={`${one.account}/${one.epoch}`} failover={one} />)
            )}
          </div>
        </>
      )}
    </Card>
  );
}

function Takeover({ failover }: { failover: Failover }): ReactNode {
  const { at, leader, before, gap_ms, planned, account } = failover;
  return (
    <div className="takeover" title={failover.why}>
      <b>{gap_ms === null || gap_ms === undefined ? "under way …" : elapsed(gap_ms)}</b>
      <span className="muted">
        {planned ? "moved" : "took over"}: {before ?? "nobody"} → {leader}
        <br />
        {account}, {when(Date.parse(at))}
      </span>
    </div>
  );
}

function KillLeader(): ReactNode {
  const demo = useDemo();
  const [busy, setBusy] = useState(false);
  if (!demo) return null;
  const strike = async (): Promise<void> => {
    setBusy(true);
    try {
      tell(await killLeader());
    } catch (error) {
      tellProblem(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <button
      type="button"
      className="danger"
      disabled={busy}
      onClick={() => void strike()}
      title="kill -9 to the node that leads; another one goes on"
    >
      Kill the leader
    </button>
  );
}
