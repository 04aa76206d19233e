const REDACTED = '[redacted]';

/** What is taken out of a line, where one of `hints` is in it: to look for that costs next to nothing. */
interface Shape {
  readonly hints: readonly string[];
  readonly pattern: RegExp;
  readonly replacement: string;
}

/**
 * Credentials by their place and shape: tokens that are issued while the service runs are in no setting. Pino's own
 * `redact` looks for places in objects, and made each line cost ten times as much.
 */
const SHAPES: readonly Shape[] = [
  {
    hints: ['uthorization"', 'ookie"', 'ignature"', 'assword"', 'ecret"', 'oken"'],
    pattern:
      /"(authorization|cookie|set-cookie|webhook-signature|password|secret|token|access_token|client_secret)":("(?:[^"\\]|\\.)*"|\[[^\]]*\])/gi,
    replacement: `"$1":"${REDACTED}"`,
  },
  {
    hints: ['earer ', 'asic '],
    pattern: /\b([Bb]earer|[Bb]asic)\s+(?=[\w.~+/=-]*[A-Z0-9])[\w.~+/=-]{8,}/g,
    replacement: `$1 ${REDACTED}`,
  },
  // A JSON Web Token.
  { hints: ['eyJ'], pattern: /\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*/g, replacement: REDACTED },
  // The user and password of a URL.
  { hints: ['@'], pattern: /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@"\\]+@/gi, replacement: `$1${REDACTED}@` },
];

/** Takes the secrets out of a finished line of JSON. */
export function createRedactor(secrets: readonly string[]): (line: string) => string {
  // The longest first: one may be part of another.
  const needles = [...new Set(secrets.flatMap(writtenIn))].sort((a, b) => b.length - a.length);
  return (line) => {
    let clean = line;
    for (const needle of needles) if (clean.includes(needle)) clean = clean.replaceAll(needle, REDACTED);
    for (const { hints, pattern, replacement } of SHAPES) {
      if (hints.some((hint) => clean.includes(hint))) clean = clean.replace(pattern, replacement);
    }
    return clean;
  };
}

/** How a secret stands in JSON: as it is, or as part of a URL. */
function writtenIn(secret: string): string[] {
  return [secret, encodeURIComponent(secret)].map((text) => JSON.stringify(text).slice(1, -1));
}
