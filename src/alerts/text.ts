/** Control characters, line separators, and what turns the direction of text around. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu;

/** What tasks, exceptions and people have written as one printable line; at most `max` UTF-16 code units. */
export function oneLine(text: string, max: number): string {
  return clip(text.toWellFormed().replace(UNPRINTABLE, ' ').trim(), max);
}

/** Cuts at the end, where needed, to at most `max` UTF-16 code units; never through a character. */
export function clip(text: string, max: number): string {
  return clipEscaped(text, max, (character) => character);
}

/** Escapes character by character and cuts to at most `max` code units; never through a character or an escape. */
export function clipEscaped(text: string, max: number, escapeOne: (character: string) => string): string {
  let whole = '';
  let cut = '';
  for (const character of text) {
    const escaped = escapeOne(character);
    whole += escaped;
    if (whole.length < max) cut = whole;
    if (whole.length > max) return `${cut}…`;
  }
  return whole;
}
