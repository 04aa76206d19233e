import { SETTINGS, type Setting } from '../../config/environment.ts';
import { EXIT_CODES } from '../command.ts';
import { type Command, isOptional, optionText, type Parameter, synopsisOf } from './spec.ts';

const WIDTH = 120;

/** The text of `dagain --help` (`words` empty), of a group of commands, or of one command. */
export function helpText(commands: readonly Command[], words: string): string {
  const one = commands.find((command) => command.words === words);
  if (one !== undefined) return commandHelp(one);
  if (words === '') return wholeHelp(commands);
  const inGroup = commands.filter((command) => command.words.startsWith(`${words} `));
  return `Usage: dagain ${words} <command>\n\nCommands:\n${commandRows(inGroup)}\nSee "dagain help ${words} <command>".\n`;
}

function wholeHelp(commands: readonly Command[]): string {
  return `dagain: retries whole Dag runs of Apache Airflow

Usage: dagain <command>

Commands:
${commandRows(commands, [
  ['version', 'Print the version.'],
  ['help [command]', 'Print this text, or what a command takes.'],
])}
Exit codes:
${exitCodes()}
Where commands find the service: DAGAIN_URL or --url (http://127.0.0.1:$DAGAIN_PORT), with DAGAIN_OPERATOR_TOKEN.
DAGAIN_ACTOR is who acts, where --actor does not say so (the login name). NO_COLOR prints without colours.

Settings (environment; those marked * also as NAME_FILE, which names a file that holds the value):
${settingRows()}`;
}

function commandHelp(command: Command): string {
  const args = Object.entries(command.args).map(([name, one]) => [name, describe(one)] as const);
  const options = Object.entries(command.options).map(([name, one]) => [optionText(name, one), describe(one)] as const);
  const usage = `Usage: dagain ${synopsisOf(command)}${options.length === 0 ? '' : ' [options]'}`;
  const details = command.details.map((text) => `${wrap(text, WIDTH).join('\n')}\n\n`).join('');
  return [
    `${command.summary}\n\n${usage}\n\n${details}`,
    args.length === 0 ? '' : `Arguments:\n${rows(args)}\n`,
    `Options:\n${rows([...options, ['-h, --help', 'Print this text.']])}\n`,
    `Exit codes:\n${exitCodes()}`,
  ].join('');
}

function describe(one: Parameter): string {
  const { summary, completion, placeholder } = one;
  const words = completion !== null && typeof completion === 'object' ? ` One of ${completion.words.join(', ')}.` : '';
  const must = placeholder !== null && !isOptional(one) ? ' Required.' : '';
  return `${summary}${words}${must}`;
}

type Rows = readonly (readonly [name: string, text: string])[];

function commandRows(commands: readonly Command[], more: Rows = []): string {
  return rows([...commands.map((command) => [synopsisOf(command), command.summary] as const), ...more]);
}

function exitCodes(): string {
  return rows(Object.entries(EXIT_CODES).map(([code, meaning]) => [code, meaning]));
}

function settingRows(): string {
  return rows(
    Object.entries(SETTINGS as Record<string, Setting<unknown>>).map(([name, one]) => [
      `${name}${one.secret === true ? ' *' : ''}`,
      `${one.description}${one.fallback === null ? '' : ` (${one.fallback})`}`,
    ]),
  );
}

/** Two columns, the second one wrapped below itself. */
function rows(pairs: Rows): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  const lines = pairs.flatMap(([name, text]) => {
    const wrapped = wrap(text, Math.max(40, WIDTH - width - 4));
    return wrapped.map((line, index) => `  ${(index === 0 ? name : '').padEnd(width)}  ${line}\n`);
  });
  return lines.join('');
}

function wrap(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last !== '' && last.length + word.length >= width) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}
