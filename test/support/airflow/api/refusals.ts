import type { AirflowModel } from '../model/model.ts';
import type { Verdict } from './auth.ts';
import { problem, refuse } from './errors.ts';
import { type AirflowResponse, html, json } from './messages.ts';

type Why = Extract<Verdict, { type: 'refused' }>['why'];

/** Answers a caller whose credentials are missing or no good. */
export function refuseUser({ traits }: AirflowModel, why: Why, statusOfAirflow2: 401 | 403): never {
  if (traits.api === 'v1') {
    const title = statusOfAirflow2 === 401 ? 'Unauthorized' : 'Forbidden';
    const headers = { 'www-authenticate': 'Basic' };
    return problem(traits.release, {
      status: statusOfAirflow2,
      title,
      ...(statusOfAirflow2 === 401 ? { headers } : {}),
    });
  }
  switch (why) {
    case 'missing':
      return refuse(401, 'Not authenticated');
    case 'expired':
      return refuse(401, 'Token Expired');
    case 'invalid':
      return refuse(403, 'Invalid JWT token');
  }
}

/** Answers a caller who is known, but may not. */
export function forbid({ traits }: AirflowModel): never {
  return traits.api === 'v2' ? refuse(403, 'Forbidden') : problem(traits.release, { status: 403, title: 'Forbidden' });
}

/** Airflow 3 serves its web interface under every path that it does not know, but for those of an API. */
export function answerUnknown(
  { traits }: AirflowModel,
  method: string,
  path: string,
  type: 'other_method' | 'none',
): AirflowResponse {
  if (traits.api === 'v1') return answerUnknownV1(traits.release, path, type);
  if (method !== 'GET') return json(405, { detail: 'Method Not Allowed' }, { allow: 'GET' });
  if (path.startsWith('/api/v1/')) {
    const error = '/api/v1 has been removed in Airflow 3, please use its upgraded version /api/v2 instead.';
    return json(404, { error });
  }
  if (path.startsWith('/api/')) return json(404, { error: 'API route not found' });
  return html(200, '<!doctype html><html lang="en"><head><title>Airflow</title></head></html>');
}

function answerUnknownV1(release: string, path: string, type: 'other_method' | 'none'): AirflowResponse {
  if (!path.startsWith('/api/v1')) return html(404, '<!doctype html><html><body>404 = lots of circles</body></html>');
  const isGeneric = true;
  if (type === 'other_method') {
    const detail = 'The method is not allowed for the requested URL.';
    return problem(release, { status: 405, title: 'Method Not Allowed', detail, isGeneric });
  }
  const detail =
    'The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.';
  return problem(release, { status: 404, title: 'Not Found', detail, isGeneric });
}
