// Doing something that may be refused: busy meanwhile, told afterwards, and what is shown read again.

import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { refreshSoon } from "../stream/follow";
import { tell, tellProblem } from "./toasts";

interface Act {
  busy: boolean;
  /** Does it; true when that worked. What it returns is told to the person. */
  act: (work: () => Promise<string | void>) => Promise<boolean>;
}

export function useAct(): Act {
  const [busy, setBusy] = useState(false);
  const queries = useQueryClient();
  const act = useCallback(
    async (work: () => Promise<string | void>): Promise<boolean> => {
      setBusy(true);
      try {
        const text = await work();
        if (typeof text === "string") tell(text, "good");
        await queries.invalidateQueries();
        refreshSoon();
        return true;
      } catch (error) {
        tellProblem(error);
        return false;
      } finally {
        setBusy(false);
      }
    },
    [queries],
  );
  return { busy, act };
}
