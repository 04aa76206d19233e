import { type Environment, SETTINGS, type Setting } from './environment.ts';

/** Shorter ones occur in lines by chance, and taking them out would spoil those. */
const LEAST_LENGTH = 6;

/** The values of all secret settings, to be kept out of logs: of URLs also the password alone. */
export function secretsOf(environment: Environment): readonly string[] {
  const names = Object.entries(SETTINGS).filter(([, one]) => (one as Setting<unknown>).secret === true);
  const values = [...names.map(([name]) => environment[name as keyof Environment]), environment.DAGAIN_AIRFLOW_TOKEN];
  return values
    .flat()
    .filter((value) => typeof value === 'string')
    .flatMap(partsOf)
    .filter((text) => text.length >= LEAST_LENGTH);
}

function partsOf(text: string): string[] {
  const password = URL.parse(text)?.password ?? '';
  return password === '' ? [text] : [text, password, decode(password)];
}

/** A password may hold a percent sign that begins no encoded character. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
