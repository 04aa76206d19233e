import type { Timers } from '../../timers.ts';

export interface LoggedRequest {
  readonly atMs: number;
  readonly method: string;
  readonly path: string;
  readonly route: string;
  readonly body: string;
  /** Null while it is not answered, and for good when it never is. */
  status: number | null;
}

export interface RequestLog {
  all(): readonly LoggedRequest[];
  of(route: string): readonly LoggedRequest[];
  /** Requests of this route, or all of them. */
  count(route?: string): number;
  reset(): void;
  add(request: Omit<LoggedRequest, 'atMs' | 'status'>): LoggedRequest;
}

export function createRequestLog({ timers }: { timers: Timers }): RequestLog {
  let requests: LoggedRequest[] = [];
  const of = (route: string) => requests.filter((request) => request.route === route);
  return {
    all: () => requests,
    of,
    count: (route) => (route === undefined ? requests.length : of(route).length),
    reset() {
      requests = [];
    },
    add(request) {
      const logged: LoggedRequest = { ...request, atMs: timers.nowMs(), status: null };
      requests.push(logged);
      return logged;
    },
  };
}
