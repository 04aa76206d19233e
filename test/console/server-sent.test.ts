import { describe, expect, test } from 'vitest';
import { createEventParser, type ServerEvent } from '../../src/console/browser/server-sent.ts';

const TEXT = 'event: hello\ndata: {"now":"ö"}\n\n: ping\n\nevent: changed\ndata: {"a":1,\ndata: "b":2}\n\nevent: cut';

describe('the text of server-sent events', () => {
  test('is the same events wherever it is cut', () => {
    for (let cut = 0; cut <= TEXT.length; cut++) {
      const events: ServerEvent[] = [];
      const parse = createEventParser((event) => events.push(event));
      parse(TEXT.slice(0, cut));
      parse(TEXT.slice(cut));
      expect(events).toEqual([
        { name: 'hello', data: '{"now":"ö"}' },
        { name: 'changed', data: '{"a":1,\n"b":2}' },
      ]);
    }
  });
});
