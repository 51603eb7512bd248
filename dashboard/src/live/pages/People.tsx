// Oneself: password, second factor, sessions, API tokens. For an administrator everybody.

import type { ReactNode } from "react";
import { Users } from "../Users";
import { Mine } from "../Mine";
import { useSession } from "../api/session";
import { PageHead } from "../parts/Card";

export default function People(): ReactNode {
  const session = useSession();
  if (session.phase !== "in") return null;
  const { me } = session;
  return (
    <>
      <PageHead title="People" sub={`You are ${me.name}, ${me.role}.`} />
      {me.scopes.includes("admin") && <Users me={me} />}
      <Mine me={me} />
    </>
  );
}
