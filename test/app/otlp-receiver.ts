import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: a root. */
  readonly parentId: string;
  readonly name: string;
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly isError: boolean;
  readonly resource: Readonly<Record<string, unknown>>;
}

export interface OtlpReceiver {
  readonly url: string;
  readonly spans: ReceivedSpan[];
  readonly requests: { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: Buffer }[];
  close(): Promise<void>;
}

/** A collector on the loopback interface: OTLP over HTTP, as protobuf. */
export async function startOtlpReceiver(status = 200): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const requests: OtlpReceiver['requests'] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    requests.push({ path: request.url ?? '', headers: request.headers, body });
    spans.push(...decodeRequest(body));
    response.writeHead(status, { 'Content-Type': 'application/x-protobuf' }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    requests,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

type Field = number | bigint | Buffer;

/** The fields of a protobuf message by their numbers (https://protobuf.dev/programming-guides/encoding/). */
function fieldsOf(bytes: Buffer): Map<number, Field[]> {
  const fields = new Map<number, Field[]>();
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const read = (wireType: number): Field => {
    if (wireType === 0) return varint();
    const length = wireType === 1 ? 8 : wireType === 5 ? 4 : Number(varint());
    const value = bytes.subarray(at, at + length);
    at += length;
    return wireType === 1 ? value.readBigUInt64LE() : value;
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const value = read(tag & 7);
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value]);
  }
  return fields;
}

const messages = (fields: Map<number, Field[]>, number: number) =>
  (fields.get(number) ?? []).filter((value) => Buffer.isBuffer(value)).map(fieldsOf);
const bytesAt = (fields: Map<number, Field[]>, number: number) => {
  const value = fields.get(number)?.[0];
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0);
};
const hexAt = (fields: Map<number, Field[]>, number: number) => bytesAt(fields, number).toString('hex');
const textAt = (fields: Map<number, Field[]>, number: number) => bytesAt(fields, number).toString('utf8');
const numberAt = (fields: Map<number, Field[]>, number: number) => Number(fields.get(number)?.[0] ?? 0);

/** Of opentelemetry/proto: trace.v1 and common.v1. */
function decodeRequest(body: Buffer): ReceivedSpan[] {
  return messages(fieldsOf(body), 1).flatMap((ofResource) => {
    const resource = attributesAt(messages(ofResource, 1)[0] ?? new Map(), 1);
    const spans = messages(ofResource, 2).flatMap((scope) => messages(scope, 2));
    return spans.map((span) => ({
      traceId: hexAt(span, 1),
      spanId: hexAt(span, 2),
      parentId: hexAt(span, 4),
      name: textAt(span, 5),
      kind: numberAt(span, 6),
      startMs: numberAt(span, 7) / 1e6,
      endMs: numberAt(span, 8) / 1e6,
      fields: attributesAt(span, 9),
      links: messages(span, 13).map((link) => ({ traceId: hexAt(link, 1), spanId: hexAt(link, 2) })),
      isError: numberAt(messages(span, 15)[0] ?? new Map(), 3) === 2,
      resource,
    }));
  });
}

function attributesAt(fields: Map<number, Field[]>, number: number): Record<string, unknown> {
  const pairs = messages(fields, number).map((pair) => [textAt(pair, 1), anyValue(messages(pair, 2)[0] ?? new Map())]);
  return Object.fromEntries(pairs);
}

function anyValue(value: Map<number, Field[]>): unknown {
  if (value.has(1)) return textAt(value, 1);
  if (value.has(2)) return numberAt(value, 2) === 1;
  return numberAt(value, 3);
}
