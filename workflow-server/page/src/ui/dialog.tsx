// A dialog of the browser's own: it keeps the focus, and Esc closes it.

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

interface Props {
  title: string;
  close: () => void;
  /** Asked before it closes by Esc or by its button. */
  mayClose?: () => boolean;
  wide?: boolean;
  children: ComponentChildren;
}

export function Dialog({ title, close, mayClose, wide, children }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
  const ask = () => (!mayClose || mayClose()) && element.current?.close();
  // A browser closes a dialog by Esc without asking anybody where the user has done nothing since it
  // last asked: so the key is handled here, and other ways to cancel below.
  const onKey = (event: KeyboardEvent) => event.key === "Escape" && (event.preventDefault(), ask());
  return (
    <dialog ref={element} class={wide ? "wide" : ""} aria-labelledby={id} onClose={close} onKeyDown={onKey} onCancel={(event) => (event.preventDefault(), ask())}>
      <div class="dialog-head">
        <h2 id={id}>{title}</h2>
        <button type="button" class="quiet" aria-label="Close" onClick={ask}>✕</button>
      </div>
      {children}
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  text: string;
  action: string;
  run: () => void;
  close: () => void;
}

export function Confirm({ title, text, action, run, close }: ConfirmProps) {
  return (
    <Dialog title={title} close={close}>
      <p>{text}</p>
      <div class="actions end">
        <button type="button" onClick={close}>Keep it</button>
        <button type="button" class="danger" onClick={() => (run(), close())}>{action}</button>
      </div>
    </Dialog>
  );
}
