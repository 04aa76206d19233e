import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './generated.ts';

/** What a page tells people to type, line by line. */
export function shellCommands(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block = '']) => block);
  return blocks.flatMap((block) => block.split('\n')).filter((line) => line !== '' && !line.startsWith('#'));
}

/** The same of one section of the README. */
export function sectionCommands(title: string): string[] {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const [, rest = ''] = readme.split(`\n## ${title}\n`);
  return shellCommands(rest.split('\n## ')[0] ?? '');
}
