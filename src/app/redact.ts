const REDACTED = '[redacted]';

/** Fields that hold what shows who is calling, wherever requests, answers or settings get into a line. */
export const SECRET_FIELDS = [
  ...['authorization', 'cookie', 'password', 'secret', 'token', 'access_token', 'client_secret'].flatMap(within),
  ...['["set-cookie"]', '["webhook-signature"]'].flatMap((name) => [name, `headers${name}`, `*.headers${name}`]),
];

/** Credentials by their shape: tokens that are issued while the service runs are in no setting. */
const SHAPES: readonly (readonly [RegExp, string])[] = [
  [/\b([Bb]earer|[Bb]asic)\s+(?=[\w.~+/=-]*[A-Z0-9])[\w.~+/=-]{8,}/g, `$1 ${REDACTED}`],
  // A JSON Web Token.
  [/\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*/g, REDACTED],
  // The user and password of a URL.
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@"\\]+@/gi, `$1${REDACTED}@`],
];

/** Takes the secrets out of a finished line of JSON. */
export function createRedactor(secrets: readonly string[]): (line: string) => string {
  // The longest first: one may be part of another.
  const needles = [...new Set(secrets.flatMap(writtenIn))].sort((a, b) => b.length - a.length);
  return (line) => {
    let clean = line;
    for (const needle of needles) clean = clean.replaceAll(needle, REDACTED);
    for (const [shape, replacement] of SHAPES) clean = clean.replace(shape, replacement);
    return clean;
  };
}

/** How a secret stands in JSON: as it is, or as part of a URL. */
function writtenIn(secret: string): string[] {
  return [secret, encodeURIComponent(secret)].map((text) => JSON.stringify(text).slice(1, -1));
}

function within(name: string): string[] {
  return [name, `*.${name}`, `*.*.${name}`];
}
