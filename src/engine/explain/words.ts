/** To the second, with its zone: people read it in another one, and on another day. */
export function utc(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

export function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** A person's words, where there are any. */
export function withComment(text: string, comment: string): string {
  return comment === '' ? `${text}.` : `${text}: "${comment}".`;
}
