import { fieldProblem } from './problems.ts';

/**
 * The parameters of a URL's query, each at most once and none but those in `known`: a misspelt filter that is ignored
 * would answer another question than the one asked.
 * @throws HttpProblem `invalid_query`
 */
export function readQuery<K extends string>(url: string, known: readonly K[]): Partial<Record<K, string>> {
  const at = url.indexOf('?');
  const query: Partial<Record<K, string>> = {};
  if (at < 0) return query;
  for (const part of url.slice(at + 1).split('&')) {
    if (part === '') continue;
    const separator = part.indexOf('=');
    const written = decode(separator < 0 ? part : part.slice(0, separator));
    const name = known.find((one) => one === written);
    if (name === undefined) {
      throw fieldProblem(
        'invalid_query',
        written.slice(0, 100).toWellFormed(),
        `is not known here; known are ${known.join(', ')}`,
      );
    }
    if (query[name] !== undefined) throw fieldProblem('invalid_query', name, 'must be given once');
    query[name] = decode(separator < 0 ? '' : part.slice(separator + 1));
  }
  return query;
}

function decode(text: string): string {
  try {
    // In a query, unlike in a path, a plus stands for a blank.
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw fieldProblem(
      'invalid_query',
      text.slice(0, 100),
      'holds a percent sign that does not begin an encoded character',
    );
  }
}
