import { z } from 'zod';
import { CommandError } from '../command.ts';
import type { ServiceAddress } from './address.ts';

const Problem = z.object({
  code: z.string(),
  detail: z.string(),
  errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
});

/** What an answer other than 2xx means to whoever typed the command. */
export function refusalOf(address: ServiceAddress, status: number, body: unknown): CommandError {
  const problem = Problem.safeParse(body).data ?? null;
  const { url } = address;
  if (problem?.code === 'host_not_allowed') return refusedHost(address, problem.detail);
  if (status === 401 || status === 403) return refusedToken(address, status);
  if (status >= 300 && status < 400) {
    return new CommandError(4, `${url} redirects elsewhere`, {
      remedy: `Set DAGAIN_URL to where the service itself is.`,
    });
  }
  if (problem === null) return notDagain(address, `answered ${status}`);
  const { code, detail } = problem;
  if (code === 'not_found') return notDagain(address, 'has no such route');
  if (status === 503 || status >= 500) {
    const remedy = 'Try again in a moment; the service\'s log and "dagain doctor" on its machine tell more.';
    return new CommandError(4, `the service could not do it: ${detail} (${status} ${code})`, { remedy, code });
  }
  if (status === 404 || status === 409 || status === 429) return new CommandError(3, `${detail} (${code})`, { code });
  const fields = (problem.errors ?? []).map(({ field, message }) => `${field} ${message}`);
  return new CommandError(2, `the service refused it: ${fields.join('; ') || detail} (${code})`, { code });
}

function refusedToken({ url, token }: ServiceAddress, status: number): CommandError {
  const remedy =
    token === null
      ? 'Set DAGAIN_OPERATOR_TOKEN (or DAGAIN_OPERATOR_TOKEN_FILE): it is not set here.'
      : 'DAGAIN_OPERATOR_TOKEN is not the one that the service was started with (callbacks have another).';
  return new CommandError(4, `${url} refuses the operator token (${status})`, { remedy, code: 'token_refused' });
}

function refusedHost({ url, source }: ServiceAddress, detail: string): CommandError {
  const remedy = `Use an address that it knows. This one is from: ${source}.`;
  return new CommandError(4, `${url} is not a name that the service knows: ${detail}`, {
    remedy,
    code: 'host_not_allowed',
  });
}

export function notDagain({ url, source }: ServiceAddress, what: string): CommandError {
  const remedy = `What answers there is not dagain, or of another version. The address is from: ${source}.`;
  return new CommandError(4, `${url} ${what}`, { remedy, code: 'not_dagain' });
}

/** Nothing came back at all. */
export function unreachable({ url, source }: ServiceAddress, error: unknown): CommandError {
  const remedy = `Is the service running, and is that its address (from: ${source})? Set DAGAIN_URL or --url.`;
  return new CommandError(4, `cannot reach dagain at ${url} (${reasonOf(error)})`, { remedy, cause: error });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'no answer in time';
  const { cause } = error;
  const inner = cause instanceof AggregateError ? cause.errors[0] : cause;
  if (inner instanceof Error) return 'code' in inner ? String(inner.code) : inner.message;
  return error.message;
}
