// A native dialog: it traps the focus, and Esc closes it.

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { mayLose } from "../route.ts";
import { useUnsaved } from "./unsaved.ts";

interface Props {
  title: string;
  close: () => void;
  /** Whether it holds unsaved text that was not typed, such as a dropped file. */
  unsaved?: boolean;
  wide?: boolean;
  children: ComponentChildren;
}

export function Dialog({ title, close, unsaved = false, wide, children }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  const typed = useTyped();
  const isUnsaved = unsaved || typed.isUnsaved;
  useUnsaved(isUnsaved);
  useEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
  const ask = () => (!isUnsaved || mayLose()) && element.current?.close();
  // A browser may close a dialog on a second Esc without a cancel event, so the key is handled here. Other
  // ways to cancel are handled below.
  const onKey = (event: KeyboardEvent) => event.key === "Escape" && (event.preventDefault(), ask());
  return (
    <dialog ref={element} class={wide ? "wide" : ""} aria-labelledby={id} onClose={close} onKeyDown={onKey} onCancel={(event) => (event.preventDefault(), ask())}
      onFocusCapture={typed.onFocus} onInput={typed.onInput}>
      <div class="dialog-head">
        <h2 id={id}>{title}</h2>
        <button type="button" class="quiet" aria-label="Close" onClick={ask}>✕</button>
      </div>
      {children}
    </dialog>
  );
}

type Control = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

/** Tracks whether any field inside differs from its initial value. */
function useTyped() {
  const before = useRef(new WeakMap<Control, string>());
  const changed = useRef(new Set<Control>());
  const [isUnsaved, set] = useState(false);
  const value = (control: Control) => (control.type === "checkbox" ? String((control as HTMLInputElement).checked) : control.value);
  const onFocus = ({ target }: Event) => {
    if (isControl(target) && !before.current.has(target)) before.current.set(target, value(target));
  };
  const onInput = ({ target }: Event) => {
    if (!isControl(target)) return;
    if (before.current.get(target) === value(target)) changed.current.delete(target);
    else changed.current.add(target);
    set(changed.current.size > 0);
  };
  return { isUnsaved, onFocus, onInput };
}

function isControl(target: EventTarget | null): target is Control {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
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
        <button type="button" onClick={close}>Go back</button>
        <button type="button" class="danger" onClick={() => (run(), close())}>{action}</button>
      </div>
    </Dialog>
  );
}
