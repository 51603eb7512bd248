// The door: name and password, a code where the user has a second factor, or another's word for it.

import { useState, type FormEvent, type ReactNode } from "react";
import { ApiError } from "./api/problem";
import { acceptInvitation, signIn } from "./api/session";
import { useQuery } from "@tanstack/react-query";
import { call } from "./api/http";
import { Field } from "./parts/Field";
import { Problem } from "./parts/Remarks";
import { Mark } from "./Mark";

export function SignIn({ error: before }: { error?: unknown }): ReactNode {
  const invitation = new URLSearchParams(location.hash.slice(1)).get("invitation");
  return (
    <main className="door">
      <div>
        <Mark linked={false} />
        {invitation === null ? (
          // What is told came later than the form, perhaps: it begins anew with it.
          <Credentials key={before === undefined ? "" : "told"} before={before} />
        ) : (
          <Invitation code={invitation} />
        )}
      </div>
    </main>
  );
}

function Credentials({ before }: { before: unknown }): ReactNode {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [totp, setTotp] = useState("");
  const [asksCode, setAsksCode] = useState(false);
  const [error, setError] = useState<unknown>(before);
  const [busy, setBusy] = useState(false);
  const ways = useQuery({
    queryKey: ["ways"],
    queryFn: () => call("GET /api/v1/auth/ways", {}),
    staleTime: Infinity,
  });
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      await signIn(name, password, totp);
    } catch (refusal) {
      const asks = refusal instanceof ApiError && refusal.code === "totp_required";
      setAsksCode(asksCode || asks);
      setError(asks ? undefined : refusal);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form className="card form" onSubmit={(event) => void submit(event)}>
      <h1>Sign in</h1>
      {error !== undefined && <Problem error={error} inline />}
      <Field label="Name" value={name} set={setName} autoComplete="username" required autoFocus />
      <Field
        label="Password"
        type="password"
        value={password}
        set={setPassword}
        autoComplete="current-password"
        required
      />
      {asksCode && (
        <Field
          label="Code"
          hint="What your authenticator shows now."
          inputMode="numeric"
          autoComplete="one-time-code"
          value={totp}
          set={setTotp}
          required
          autoFocus
        />
      )}
      <button type="submit" className="primary" disabled={busy}>
        {busy ? "Signing in …" : "Sign in"}
      </button>
      {ways.data?.google && (
        <a className="button" href="/api/v1/auth/google">
          Sign in with Google
        </a>
      )}
      <p className="small muted">
        No user yet? On the machine that runs it:{" "}
        <code>holdfast user create --admin-email you@example.com</code>
      </p>
    </form>
  );
}

function Invitation({ code }: { code: string }): ReactNode {
  const [password, setPassword] = useState("");
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      await acceptInvitation(code, password);
      history.replaceState(null, "", "/");
    } catch (refusal) {
      setError(refusal);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form className="card form" onSubmit={(event) => void submit(event)}>
      <h1>Choose your password</h1>
      <p className="muted">You were invited to this installation.</p>
      {error !== undefined && <Problem error={error} inline />}
      <Field
        label="Password"
        hint="Long beats complicated: a sentence is fine."
        type="password"
        value={password}
        set={setPassword}
        autoComplete="new-password"
        required
        autoFocus
      />
      <button type="submit" className="primary" disabled={busy}>
        {busy ? "Saving …" : "Save and sign in"}
      </button>
    </form>
  );
}
