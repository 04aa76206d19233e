/** One event of a stream, `data` as it was sent. */
export interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/** More in one event than the service ever sends, in characters. */
const MAX_LENGTH = 4 * 1024 * 1024;

/** Reads server-sent events; comments, such as pings, are passed over. */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    if (rest.length > MAX_LENGTH) throw new Error('an event is too long');
    const blocks = rest.split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const read = parseBlock(block);
      if (read !== null) yield read;
    }
  }
}

function parseBlock(block: string): ServerEvent | null {
  let event = 'message';
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const [, field, value = ''] = /^([^:]+)(?:: ?(.*))?$/.exec(line) ?? [];
    if (field === 'event') event = value;
    if (field === 'data') data.push(value);
  }
  return data.length === 0 ? null : { event, data: data.join('\n') };
}
