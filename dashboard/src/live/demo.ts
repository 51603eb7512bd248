// What only the demo has: a button that strikes the node that leads.

import { useQuery } from "@tanstack/react-query";
import { call } from "./api/http";

/** Whether this installation is the demo. */
export function useDemo(): boolean {
  const found = useQuery({
    queryKey: ["demo"],
    queryFn: () => call("GET /api/v1/demo", {}),
    staleTime: Infinity,
  });
  return found.data?.is_demo === true;
}

/** `kill -9` to the leader. What was struck, in a sentence. */
export async function killLeader(): Promise<string> {
  return (await call("POST /api/v1/demo/kill-leader", {})).told;
}
