/** The pages of Airflow 2, as a person's browser uses them. */
export interface WebPages {
  /** Sends a form, as the page's button does; follows no redirect. @throws Error unless it was taken */
  post(path: string, fields: Readonly<Record<string, string>>): Promise<void>;
}

const TIMEOUT_MS = 90_000;

/** Logs in as that user. @throws Error when that fails */
export async function openWebPages(url: string, username: string, password: string): Promise<WebPages> {
  let cookies = '';

  async function request(path: string, form?: URLSearchParams): Promise<Response> {
    const answer = await fetch(`${url}${path}`, {
      method: form === undefined ? 'GET' : 'POST',
      headers: { cookie: cookies },
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(form === undefined ? {} : { body: form }),
    });
    const set = answer.headers.getSetCookie().map((cookie) => cookie.split(';')[0] ?? '');
    if (set.length > 0) cookies = set.join('; ');
    return answer;
  }

  async function post(path: string, fields: Readonly<Record<string, string>>): Promise<void> {
    const form = new URLSearchParams({ ...fields, csrf_token: token });
    const answer = await request(path, form);
    if (answer.status >= 400) throw new Error(`${path} was answered ${answer.status}: ${await answer.text()}`);
  }

  const token = /name="csrf_token"[^>]*value="([^"]+)"/.exec(await (await request('/login/')).text())?.[1] ?? '';
  await post('/login/', { username, password });
  return { post };
}
