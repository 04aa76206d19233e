/** To the second, with its zone: people read it in another one, and on another day. */
export function utc(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

export function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** An id as a shell takes it: commands in advice are copied, and ids come from outside. */
export function shellWord(id: string): string {
  return /^[\w.:+@-]+$/.test(id) ? id : `'${id.replaceAll("'", "'\\''")}'`;
}

/** Control characters would move a terminal's cursor, or tear a sentence apart. */
export function oneLine(sentence: string): string {
  return sentence.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').toWellFormed();
}

/** A person's words, where there are any. */
export function withComment(text: string, comment: string): string {
  return comment === '' ? `${text}.` : `${text}: "${comment}".`;
}
