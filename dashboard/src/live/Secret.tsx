// Something that is shown once and never again.

import { useState, type ReactNode } from "react";
import { Dialog } from "./parts/Dialog";

interface Props {
  title: string;
  about: ReactNode;
  secret: string;
  close: () => void;
}

export function Secret({ title, about, secret, close }: Props): ReactNode {
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(secret);
    setCopied(true);
  };
  return (
    <Dialog title={title} close={close}>
      <p>{about}</p>
      <p className="code wrap strong">{secret}</p>
      <div className="form-end">
        <button type="button" onClick={() => void copy().catch(() => setCopied(false))}>
          {copied ? "Copied" : "Copy"}
        </button>
        <button type="button" className="primary" onClick={close}>
          I have it
        </button>
      </div>
    </Dialog>
  );
}
