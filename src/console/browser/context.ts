import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import type { Api } from './api.ts';
import type { Live, LiveStatus } from './live.ts';
import type { Router } from './router.ts';
import type { Session } from './session.ts';

/** What every view may use. */
export interface PageContext {
  readonly api: Api;
  readonly live: Live;
  readonly router: Router;
  readonly session: Session;
  /** Says what has happened, on the page and to screen readers. */
  readonly announce: (message: string) => void;
}

export const Page = createContext<PageContext | null>(null);

export function usePage(): PageContext {
  const page = useContext(Page);
  if (page === null) throw new Error('views are rendered inside the page only');
  return page;
}

export function useLiveStatus(): LiveStatus {
  const { live } = usePage();
  const [status, setStatus] = useState(live.status());
  useEffect(() => live.onStatus(setStatus), [live]);
  return status;
}

/** The service's time in epoch milliseconds, told every second by the page to all who show times. */
export const Now = createContext(0);

export function useNow(): number {
  return useContext(Now);
}
