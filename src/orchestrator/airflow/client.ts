import { rejectsToken, type Unavailable } from './answers.ts';
import type { Authenticator, Authorization } from './auth.ts';
import { type Http, type HttpResult, nameOf } from './http.ts';
import { type Query, type Segment, urlOf } from './paths.ts';
import type { TimeLimit } from './time-limit.ts';
import type { ApiVersion } from './versions.ts';

export interface ApiCall {
  readonly api: ApiVersion;
  readonly method: 'GET' | 'POST' | 'PATCH';
  /** Below `/api/v1` or `/api/v2`, not encoded. */
  readonly segments: readonly Segment[];
  readonly query?: Query;
  readonly body?: unknown;
  /** The answer needs no login; what is at hand without one is shown. */
  readonly withoutLogin?: boolean;
}

/** A result with the name that details give to its request. */
export interface ApiResult {
  readonly name: string;
  readonly result: HttpResult;
}

export interface Client {
  /**
   * Sends one authenticated request. If the server refuses the token, it is renewed and the request sent once more, a
   * clear too: that refusal says that nothing was done. Nothing is sent once `limit` is over. Never rejects.
   */
  call(call: ApiCall, limit: TimeLimit): Promise<ApiResult>;
}

export interface ClientDeps {
  readonly root: URL;
  readonly http: Http;
  readonly auth: Authenticator;
  readonly requestTimeoutMs: number;
}

export function createClient({ root, http, auth, requestTimeoutMs }: ClientDeps): Client {
  function send(call: ApiCall, url: URL, used: Authorization, limit: TimeLimit): Promise<HttpResult> | HttpResult {
    const timeLimitMs = Math.min(requestTimeoutMs, limit.remainingMs());
    if (timeLimitMs <= 0) return outOfTime(nameOf({ method: call.method, url }));
    const { headers, secrets } = used;
    return http.send({ method: call.method, url, headers, secrets, body: call.body, timeLimitMs });
  }

  async function sendAuthorized(call: ApiCall, url: URL, limit: TimeLimit): Promise<HttpResult> {
    const authorize = () => (call.withoutLogin === true ? auth.atHand() : auth.authorize(call.api));
    const used = await authorize();
    if (used.type === 'unavailable') return notSent(used);
    const first = await send(call, url, used, limit);
    if (first.type === 'failure' || !rejectsToken(first)) return first;
    auth.discard(used);
    const renewed = await authorize();
    if (renewed.type === 'unavailable') return notSent(renewed);
    // A password in every request, or a token that nobody has replaced: the same answer would come again.
    if (renewed.shown === used.shown) return first;
    const second = await send(call, url, renewed, limit);
    if (second.type === 'answer' && rejectsToken(second)) auth.giveUpOn(renewed);
    return second;
  }

  return {
    async call(call, limit) {
      const url = urlOf(root, ['api', call.api, ...call.segments], call.query);
      const name =
        url === null ? `${call.method} of a path that ids could change` : nameOf({ method: call.method, url });
      return { name, result: url === null ? hostilePath() : await sendAuthorized(call, url, limit) };
    },
  };
}

function notSent({ reason, detail, retryAfterMs }: Unavailable): HttpResult {
  return { type: 'failure', reason, sent: false, detail, retryAfterMs };
}

function outOfTime(name: string): HttpResult {
  const detail = `${name} was not sent: the time for this call was over`;
  return { type: 'failure', reason: 'timed_out', sent: false, detail, retryAfterMs: null };
}

function hostilePath(): HttpResult {
  const detail = 'an id that could change the path of the request was not sent';
  return { type: 'failure', reason: 'unexpected_answer', sent: false, detail, retryAfterMs: null };
}
