import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { z } from 'zod';
import { type Unavailable, unavailable } from './answers.ts';
import type { HttpAnswer, HttpResult } from './http.ts';
import { lifeMsOf, refusal, TokenText } from './login-answer.ts';
import type { Ask, AskDeps } from './login-requests.ts';
import { inTime } from './login-time.ts';
import { urlOf } from './paths.ts';
import type { ApiVersion } from './versions.ts';

/** An environment of Amazon MWAA. */
export interface MwaaEnvironment {
  readonly name: string;
  readonly region: string;
  /** Where AWS takes requests about environments, e.g. that of a VPC; null: the region's public one. */
  readonly endpoint: string | null;
}

/** A session of Airflow 2 lasts twelve hours and does not tell; half of that leaves time for whatever AWS changes. */
const SESSION_LIFE_MS = 6 * 3_600_000;
const AWS = { issuer: 'Amazon MWAA', shown: 'the AWS credentials (they need airflow:CreateWebLoginToken)' };
const WEB_SERVER = { issuer: "MWAA's web server", shown: 'the web login token' };

/**
 * Gets a session of an MWAA environment: IAM credentials for a web login token, that for the cookie which Airflow's
 * login page would set. Airflow 3's holds a JWT, which also serves as bearer token.
 */
export function askMwaa(deps: AskDeps, environment: MwaaEnvironment, api: ApiVersion): Ask {
  const { root, http, clock, requestTimeoutMs: timeLimitMs } = deps;
  const path = api === 'v1' ? ['aws_mwaa', 'login'] : ['pluginsv2', 'aws_mwaa', 'login'];
  const url = urlOf(root, path);
  if (url === null) throw new Error('the path of the login is not as intended');
  return async () => {
    const webToken = await askForWebToken(deps, environment);
    if (typeof webToken !== 'string') return webToken;
    const secrets = [webToken];
    const result = await http.send({ method: 'POST', url, form: { token: webToken }, secrets, timeLimitMs });
    if (result.type === 'failure') return unavailable(result.reason, result.detail, result.retryAfterMs);
    const value = cookieOf(result, api === 'v1' ? 'session' : '_token');
    // A redirect to the start page is how a login page answers; the cookie is what counts, and nothing is followed.
    if (value === null || result.status >= 400) return refusal(WEB_SERVER, result);
    return { type: 'token', value, lifeMs: api === 'v1' ? SESSION_LIFE_MS : lifeMsOf(value, clock.nowMs()) };
  };
}

function cookieOf({ cookies }: HttpAnswer, name: string): string | null {
  const pair = cookies.map((one) => one.split(';', 1)[0]?.trim() ?? '').find((one) => one.startsWith(`${name}=`));
  const value = TokenText.safeParse(pair?.slice(name.length + 1));
  return value.success ? value.data : null;
}

const WebTokenAnswer = z.object({ WebToken: z.string().min(1) });

async function askForWebToken(deps: AskDeps, environment: MwaaEnvironment): Promise<string | Unavailable> {
  const { http, requestTimeoutMs: timeLimitMs } = deps;
  const signed = await sign(deps, environment);
  if (signed.type === 'unavailable') return signed;
  const { url, headers, secrets } = signed;
  return readWebToken(await http.send({ method: 'POST', url, headers, secrets, timeLimitMs }), environment);
}

function readWebToken(result: HttpResult, { name, region }: MwaaEnvironment): string | Unavailable {
  if (result.type === 'failure') return unavailable(result.reason, result.detail, result.retryAfterMs);
  const answer = WebTokenAnswer.safeParse(result.json);
  if (result.status === 200 && answer.success) return answer.data.WebToken;
  if (result.status === 404) return unavailable('unauthorized', `there is no MWAA environment ${name} in ${region}`);
  return refusal(AWS, result);
}

interface SignedRequest {
  readonly type: 'signed';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
}

async function sign(deps: AskDeps, { name, region, endpoint }: MwaaEnvironment): Promise<SignedRequest | Unavailable> {
  const { clock, requestTimeoutMs } = deps;
  const base = endpoint ?? `https://env.airflow.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
  const url = new URL(`/webtoken/${encodeURIComponent(name)}`, base);
  try {
    const found = await inTime(requestTimeoutMs, findCredentials);
    const { SignatureV4 } = await import('@smithy/signature-v4');
    const signer = new SignatureV4({ credentials: found, region, service: 'airflow', sha256: Sha256 });
    const { protocol, hostname, host, pathname: path } = url;
    const request = { method: 'POST', protocol, hostname, path, headers: { host } };
    const { headers } = await signer.sign(request, { signingDate: new Date(clock.nowMs()) });
    const shown = [headers['authorization'] ?? '', found.sessionToken ?? ''];
    return { type: 'signed', url, headers, secrets: [...shown, found.secretAccessKey] };
  } catch (error) {
    if (error instanceof Error && error.message === 'timed out') {
      return unavailable('timed_out', 'no AWS credentials were found in time');
    }
    // In our words: the SDK's may quote files.
    return unavailable('unauthorized', 'no AWS credentials were found: environment, shared files, container, instance');
  }
}

async function findCredentials() {
  // Loaded when it is used, because most who run this are not with AWS. Made anew each time, so that keys which have
  // been replaced are in use at once.
  const { defaultProvider } = await import('@aws-sdk/credential-provider-node');
  return await defaultProvider({ maxRetries: 1 })();
}

type Bytes = string | ArrayBuffer | ArrayBufferView;

/** The signer's hash, by Node's own. */
class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: Bytes) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }

  update(data: Bytes): void {
    this.#hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    throw new Error('one hash is for one digest');
  }
}

function bytesOf(data: Bytes): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data, 'utf8');
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}
