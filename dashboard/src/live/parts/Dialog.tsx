// A question or a sheet over the page. The browser's own dialog: it holds the focus, Escape closes
// it, and what is behind it is out of reach.

import { useEffect, useId, useRef, type ReactNode } from "react";
import { inFront } from "./layers";

interface Props {
  title: ReactNode;
  close: () => void;
  children: ReactNode;
  /** At the right edge, as high as the window. */
  drawer?: boolean;
}

export function Dialog({ title, close, children, drawer = false }: Props): ReactNode {
  const box = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const dialog = box.current;
    if (dialog === null) return;
    const before = document.activeElement;
    if (!dialog.open) dialog.showModal();
    const leave = inFront(dialog);
    return () => {
      leave();
      dialog.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={box}
      className={drawer ? "drawer" : undefined}
      aria-labelledby={heading}
      onCancel={(event) => {
        if (event.target !== box.current) return;
        event.preventDefault();
        close();
      }}
      onClick={(event) => {
        if (event.target === box.current) close();
      }}
    >
      <div className="dialog-head">
        <h2 id={heading}>{title}</h2>
        <button type="button" onClick={close}>
          Close
        </button>
      </div>
      <div className="dialog-body">{children}</div>
    </dialog>
  );
}
