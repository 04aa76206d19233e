import { z } from 'zod';
import { type Unavailable, unavailable } from './answers.ts';
import { TokenText } from './login-answer.ts';
import type { Ask, AskDeps } from './login-requests.ts';
import { inTime } from './login-time.ts';

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';
/** The metadata server is looked for by two addresses, each of which may time out. */
const TIME_LIMITS = 3;

/**
 * Gets an access token with Google's application default credentials: the file that GOOGLE_APPLICATION_CREDENTIALS
 * names (service account, workload identity), gcloud's, or the metadata server.
 */
export function askGoogle({ clock, requestTimeoutMs }: Pick<AskDeps, 'clock' | 'requestTimeoutMs'>): Ask {
  return async () => {
    try {
      const { token, expiryMs } = await inTime(requestTimeoutMs * TIME_LIMITS, fetchToken);
      const value = TokenText.safeParse(token);
      if (!value.success) return unavailable('unexpected_answer', "Google's credentials gave no token");
      return { type: 'token', value: value.data, lifeMs: expiryMs === null ? null : expiryMs - clock.nowMs() };
    } catch (error) {
      return explain(error);
    }
  };
}

async function fetchToken(): Promise<{ token: unknown; expiryMs: number | null }> {
  // Loaded when it is used, because most who run this are not with Google.
  const { GoogleAuth } = await import('google-auth-library');
  // Made anew each time: it would give out a cached token that Airflow has just refused.
  const client = await new GoogleAuth({ scopes: [SCOPE] }).getClient();
  const { token } = await client.getAccessToken();
  return { token, expiryMs: client.credentials.expiry_date ?? null };
}

const Failure = z.object({
  message: z.string().catch(''),
  code: z.union([z.string(), z.number()]).optional().catch(undefined),
  status: z.number().optional().catch(undefined),
  response: z.object({ status: z.number() }).optional().catch(undefined),
});

/** In our words: the library's may quote the file with the key. */
function explain(error: unknown): Unavailable {
  const { message, code, status, response } = Failure.catch({ message: '' }).parse(error);
  const answered = response?.status ?? status;
  if (answered !== undefined && answered >= 500) {
    return unavailable('server_error', `Google's token endpoint answered ${answered}`);
  }
  if (answered === 429) return unavailable('rate_limited', "Google's token endpoint answered 429");
  if (answered !== undefined) {
    return unavailable('unauthorized', `Google refused the credentials with ${answered}`);
  }
  if (message.includes('Could not load the default credentials')) {
    return unavailable(
      'unauthorized',
      'no Google credentials were found: neither GOOGLE_APPLICATION_CREDENTIALS nor a metadata server',
    );
  }
  if (message === 'timed out') return unavailable('timed_out', "Google's credentials gave no token in time");
  if (typeof code === 'string' && /^E[A-Z]+$/.test(code) && code !== 'ENOENT' && code !== 'EACCES') {
    return unavailable('unreachable', `Google's token endpoint cannot be reached (${code})`);
  }
  return unavailable('unauthorized', "Google's credentials cannot be read or used");
}
