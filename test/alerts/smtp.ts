import { createServer, type Server, type Socket } from 'node:net';
import { afterEach } from 'vitest';

export interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  /** Headers and body as they came, without the escaping of dots. */
  readonly data: string;
}

/** What the server says to a command, or null for the usual answer; `''`: nothing at all. */
export type Script = (command: string) => string | null;

const servers: Server[] = [];
const sockets = new Set<Socket>();

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** A mail server that speaks as much of RFC 5321 and AUTH PLAIN as a client needs. It ends with the test. */
export async function startMailServer(script: Script = () => null) {
  const mails: Mail[] = [];
  const commands: string[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    const converse = createConversation(script, mails, commands);
    const say = (line: string) => (line === '' ? undefined : socket.write(`${line}\r\n`));
    say(script('CONNECT') ?? '220 mail.example ESMTP');
    let rest = '';
    socket.on('data', (chunk) => {
      const lines = (rest + chunk.toString('utf8')).split('\r\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const answer = converse(line);
        if (answer !== null) say(answer);
        if (answer?.startsWith('221')) socket.end();
      }
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return { host: `127.0.0.1:${port}`, mails, commands };
}

/** Null: nothing to say yet. */
function createConversation(script: Script, mails: Mail[], commands: string[]): (line: string) => string | null {
  let from = '';
  let to: string[] = [];
  let data: string[] | null = null;
  return (line) => {
    if (data !== null) {
      if (line !== '.') {
        data.push(line.replace(/^\./, ''));
        return null;
      }
      const scripted = script('END');
      if (scripted === null) mails.push({ from, to, data: data.join('\n') });
      data = null;
      return scripted ?? '250 queued';
    }
    commands.push(line);
    const scripted = script(line);
    if (scripted !== null) return scripted;
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === 'EHLO') return '250-mail.example\r\n250-8BITMIME\r\n250 AUTH PLAIN';
    if (verb === 'AUTH') return '235 authenticated';
    if (verb === 'QUIT') return '221 bye';
    if (verb === 'DATA') {
      data = [];
      return '354 go on';
    }
    if (verb === 'MAIL') {
      from = line;
      to = [];
    }
    if (verb === 'RCPT') to.push(line);
    return '250 ok';
  };
}
