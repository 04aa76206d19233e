import { usePage } from './context.ts';
import { html, type View } from './html.ts';

export interface LinkProps {
  /** As `pathTo` and `pathToRun` make it. */
  readonly to: string;
  readonly class?: string;
  readonly current?: boolean;
  readonly label?: string;
  readonly children?: View;
}

/** A link within the page; with a modifier key it opens as any other link does. */
export function Link({ to, class: className, current = false, label, children }: LinkProps): View {
  const { router } = usePage();
  const follow = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    router.go(to);
  };
  return html`<a
    href=${router.href(to)}
    class=${className}
    aria-current=${current ? 'page' : undefined}
    aria-label=${label}
    onClick=${follow}
    >${children}</a
  >`;
}
