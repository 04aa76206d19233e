export interface ServerEvent {
  readonly name: string;
  readonly data: string;
}

/** Splits the text of a `text/event-stream` into events, over any cuts between its pieces. */
export function createEventParser(onEvent: (event: ServerEvent) => void): (piece: string) => void {
  let kept = '';
  return (piece) => {
    const blocks = (kept + piece).split('\n\n');
    kept = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = readBlock(block);
      if (event !== null) onEvent(event);
    }
  };
}

/** Null for what is a comment only. */
function readBlock(block: string): ServerEvent | null {
  let name = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    if (line.startsWith('event:')) name = line.slice(6).trim();
    if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
  }
  return data.length === 0 ? null : { name, data: data.join('\n') };
}
