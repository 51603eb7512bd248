// A button that asks once more before it acts, with a reason that is kept where it matters.

import { useState, type ReactNode } from "react";
import { Dialog } from "./Dialog";
import { Field } from "./Field";
import { useAct } from "./useAct";

interface Props {
  label: string;
  title: string;
  /** What will happen, plainly. */
  children: ReactNode;
  /** On the button that acts. */
  verb: string;
  danger?: boolean;
  /** Ask why, for the journal. */
  asksReason?: boolean;
  disabled?: boolean;
  act: (reason: string) => Promise<string | void>;
}

export function Ask(props: Props): ReactNode {
  const { label, title, children, verb, danger = false, asksReason = false, disabled, act } = props;
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState("");
  const { busy, act: run } = useAct();
  const go = async (): Promise<void> => {
    if (await run(() => act(reason))) setOpen(false);
  };
  return (
    <>
      <button
        type="button"
        className={danger ? "danger" : undefined}
        disabled={disabled}
        onClick={() => setOpen(true)}
      >
        {label}
      </button>
      {open && (
        <Dialog title={title} close={() => setOpen(false)}>
          {children}
          {asksReason && (
            <Field
              label="Why"
              hint="Kept in the journal, beside your name. May stay empty."
              value={reason}
              set={setReason}
              maxLength={200}
              autoFocus
            />
          )}
          <div className="form-end">
            <button type="button" onClick={() => setOpen(false)}>
              Cancel
            </button>
            <button
              type="button"
              className={danger ? "danger" : "primary"}
              disabled={busy}
              onClick={() => void go()}
            >
              {busy ? "Asking …" : verb}
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}
