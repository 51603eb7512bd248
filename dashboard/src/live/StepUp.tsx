// Proving again who one is, before something that adds risk. Asked when the API asks for it.

import { useState, type FormEvent, type ReactNode } from "react";
import { confirm, declineConfirm, useConfirmAsked, useSession } from "./api/session";
import { Dialog } from "./parts/Dialog";
import { Field } from "./parts/Field";
import { Problem } from "./parts/Remarks";

export function StepUp(): ReactNode {
  return useConfirmAsked() ? <Question /> : null;
}

function Question(): ReactNode {
  const session = useSession();
  const [password, setPassword] = useState("");
  const [totp, setTotp] = useState("");
  const [error, setError] = useState<unknown>();
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    try {
      await confirm(password, totp);
    } catch (refusal) {
      setError(refusal);
    }
  };
  return (
    <Dialog title="This adds risk. Is it you?" close={declineConfirm}>
      <form className="form" onSubmit={(event) => void submit(event)}>
        <p>
          {session.phase === "in" ? `${session.me.name}, confirm` : "Confirm"} it with your password,
          or with the code of your authenticator if you have one. It holds for some minutes.
        </p>
        {error !== undefined && <Problem error={error} inline />}
        <Field
          label="Password"
          hint="Leave both empty if this user has neither, as in the demo."
          type="password"
          autoComplete="current-password"
          value={password}
          set={setPassword}
          autoFocus
        />
        <Field
          label="Code"
          inputMode="numeric"
          autoComplete="one-time-code"
          value={totp}
          set={setTotp}
        />
        <div className="form-end">
          <button type="button" onClick={declineConfirm}>
            Cancel
          </button>
          <button type="submit" className="primary">
            Confirm
          </button>
        </div>
      </form>
    </Dialog>
  );
}
