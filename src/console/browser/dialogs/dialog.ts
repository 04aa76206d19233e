import { useEffect, useId, useRef } from 'preact/hooks';
import { html, type View } from '../html.ts';

export interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children?: View;
}

/** A modal dialog; Escape closes it, and the focus returns to where it came from. */
export function Dialog({ title, onClose, children }: DialogProps): View {
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const opener = document.activeElement;
    ref.current?.showModal();
    return () => {
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
      else document.getElementById('main')?.focus();
    };
  }, []);
  return html`<dialog ref=${ref} aria-labelledby=${titleId} onClose=${onClose}>
    <h2 id=${titleId}>${title}</h2>
    ${children}
  </dialog>`;
}
