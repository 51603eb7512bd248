// What only the demo has: a button that strikes the node that leads.

import { useQuery } from "@tanstack/react-query";
import { bearer } from "./api/session";
import { read } from "./api/problem";

const ADDRESS = "/demo/kill-leader";

/** Whether this installation is the demo. */
export function useDemo(): boolean {
  const found = useQuery({
    queryKey: ["demo"],
    queryFn: async () => {
      const response = await fetch("/demo", { headers: { Accept: "application/json" } });
      if (!response.ok) return false;
      const said = (await read(response)) as { demo?: boolean } | undefined;
      return said?.demo === true;
    },
    staleTime: Infinity,
    retry: false,
  });
  return found.data === true;
}

/** `kill -9` to the leader. What was struck, in a sentence. */
export async function killLeader(): Promise<string> {
  const response = await fetch(ADDRESS, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${await bearer()}`,
      "Idempotency-Key": crypto.randomUUID(),
    },
  });
  const said = (await read(response)) as { told?: string } | undefined;
  return said?.told ?? "The leader was struck.";
}
