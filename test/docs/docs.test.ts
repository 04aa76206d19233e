import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SETTINGS } from '../../src/config/environment.ts';
import { parsePolicyFile } from '../../src/config/policy-file.ts';
import { generatedFiles, ROOT } from './generated.ts';
import { PRIOR_ART } from './prior-art.ts';
import { sectionCommands } from './shell-blocks.ts';

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const README = read('README.md');

describe('what is made from the code is up to date (else: npm run docs)', () => {
  test.each(generatedFiles())('$path', ({ path, text }) => {
    expect(read(path)).toBe(text);
  });
});

const PAGES = [
  'README.md',
  ...readdirSync(join(ROOT, 'deploy/runbook'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `deploy/runbook/${name}`),
];

test('the pages for people link to files and headings that exist', () => {
  const headingsOf = (path: string) => [...read(path).matchAll(/^#+ (.+)$/gm)].map((match) => toAnchor(match[1] ?? ''));
  const links = PAGES.flatMap((page) =>
    [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => ({ page, link })),
  );
  const broken = links.filter(({ page, link }) => {
    if (/^https?:/.test(link)) return false;
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? page : join(dirname(page), path);
    if (!existsSync(join(ROOT, target))) return true;
    return anchor !== undefined && !headingsOf(target).includes(anchor);
  });
  expect(links.length).toBeGreaterThan(100);
  expect(broken).toEqual([]);
});

describe('the README', () => {
  test('names only npm scripts that exist', () => {
    const scripts = Object.keys(JSON.parse(read('package.json')).scripts);
    const named = [...README.matchAll(/npm run ([a-z:0-9]+)/g)].map((match) => match[1] ?? '');
    expect(named.filter((name) => !scripts.includes(name))).toEqual([]);
  });

  test('shows policies that are valid', () => {
    const blocks = ['README.md', 'deploy/policy/reference.md'].flatMap((path) =>
      [...read(path).matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? ''),
    );
    expect(blocks.length).toBeGreaterThanOrEqual(2);
    for (const block of blocks) expect(() => parsePolicyFile(block, 'block')).not.toThrow();
  });
});

/** Where a command of the README is run; npm scripts that are missing here are run by CI. */
const RUN_BY: Readonly<Record<string, readonly [file: string, text: string]>> = {
  'npm ci': ['.ci/run', "step 'npm ci' npm ci"],
  'npm run demo': ['.ci/run', "step 'demo' npm run demo"],
  'npm test': ['.ci/run', "step 'npm test' npm test"],
  'npm run check': ['.ci/run', "step 'format, lint, types' npm run check"],
  'npm run test:e2e': ['.ci/run', 'npm run test:e2e'],
  'npm run docs': ['test/docs/docs.test.ts', 'test.each(generatedFiles())'],
  'pip install ./deploy/airflow': ['deploy/airflow/tests/test_package.py', 'def test_pip_installs_the_folder'],
  'npm start': ['test/cli/serve.test.ts', 'the quick start of the README starts it'],
  'dagain policy check deploy/policy/example.yaml': [
    'test/cli/policy.test.ts',
    "['policy', 'check', 'deploy/policy/example.yaml']",
  ],
  'dagain doctor': ['test/cli/doctor.test.ts', "dagain(['doctor'], {"],
  ...Object.fromEntries(
    sectionCommands('Command line').map((command) => [
      command,
      ['test/cli/readme.test.ts', "sectionCommands('Command line')"],
    ]),
  ),
  'dagain policy explain etl_daily': ['test/cli/policy.test.ts', "['policy', 'explain', 'etl_daily']"],
};

describe('every command of the README', () => {
  const scripts: Record<string, string> = JSON.parse(read('package.json')).scripts;
  const blocks = [...README.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((match) => (match[1] ?? '').split(/\n|&&/));
  const cells = [...README.matchAll(/^\| `((?:npm|dagain|node) [^`]+)` \|/gm)].map((match) => match[1] ?? '');
  const commands = [...new Set([...blocks, ...cells].map((command) => command.trim()))].filter((one) => one !== '');

  test('is found: those in blocks, and those in tables', () => {
    expect(commands).toEqual(expect.arrayContaining(['npm ci', 'npm start', 'npm run verify']));
    expect(Object.keys(RUN_BY).filter((command) => !commands.includes(command))).toEqual([]);
  });

  test.each(commands)('%s', (command) => {
    if (command.startsWith('export ')) {
      const names = [...command.matchAll(/ ([A-Z_]+)=/g)].map((match) => match[1] ?? '');
      expect(names.filter((name) => !Object.hasOwn(SETTINGS, name))).toEqual([]);
      return;
    }
    const [file, text] = RUN_BY[command] ?? [];
    if (file !== undefined) expect(read(file)).toContain(text);
    const script = /^npm (?:run )?(\S+)/.exec(command)?.[1];
    if (script === undefined || script === 'ci') return expect(file, 'it must be run by a test or by CI').toBeDefined();
    expect(scripts).toHaveProperty([script]);
    const files = [...(scripts[script] ?? '').matchAll(/\b(?:src|test)\/\S+/g)].map((match) => match[0]);
    expect(files.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    if (file === undefined)
      expect(stepsOf(script).filter((step) => !new RegExp(`npm ${step}(?![\\w:-])`).test(read('.ci/run')))).toEqual([]);
  });

  /** The npm scripts that a script calls, if it does nothing else; else it itself. */
  function stepsOf(script: string): string[] {
    const steps = (scripts[script] ?? '').split(' && ').map((step) => /^npm ((?:run )?[a-z:0-9]+)$/.exec(step)?.[1]);
    return steps.every((step) => step !== undefined) ? steps : [`run ${script}`];
  }
});

test('the example policy is valid', () => {
  expect(parsePolicyFile(read('deploy/policy/example.yaml'), 'example.yaml').dags).toHaveLength(3);
});

describe('the table of prior art', () => {
  const proofs = PRIOR_ART.flatMap(({ proof }) => (proof === null ? [] : [proof]));

  test('each row names a test that exists', () => {
    expect(proofs.length).toBeGreaterThan(40);
    const missing = proofs.filter(({ file, title }) => !existsSync(join(ROOT, file)) || !read(file).includes(title));
    expect(missing).toEqual([]);
  });

  test('says plainly what is not there yet, and nothing else lacks a proof', () => {
    for (const { ours, proof } of PRIOR_ART) expect(ours.startsWith('not yet: '), ours).toBe(proof === null);
    expect(PRIOR_ART.filter(({ proof }) => proof === null).map(({ theirs }) => theirs)).toHaveLength(1);
  });

  test('has no option twice', () => {
    const names = PRIOR_ART.map(({ system, theirs }) => `${system}: ${theirs}`);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  test('covers all four systems', () => {
    expect(new Set(PRIOR_ART.map((row) => row.system))).toEqual(
      new Set(['Airflow recipe', 'Dagster', 'Coflux', 'DolphinScheduler']),
    );
  });
});

test('nothing that is committed names a registry or a folder of this machine', () => {
  const hosts = /registry\.npmjs|pypi\.org|proxy\.golang|files\.pythonhosted|deb\.debian/;
  const texts = ['README.md', 'package.json', 'package-lock.json', '.npmrc', 'Dockerfile', '.ci/run'];
  const deployed = readdirSync(join(ROOT, 'deploy'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(md|ya?ml|py|json|txt|toml)$/.test(name))
    .map((name) => join('deploy', name));
  expect(
    [...texts, ...deployed].filter((path) => hosts.test(read(path)) || /\/(work|root)\//.test(read(path))),
  ).toEqual([]);
});

function toAnchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}
