import type { Command, Parameter } from './spec.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** A script for the shell, made of the same tree that commands are read with. */
export function completionScript(shell: Shell, commands: readonly Command[]): string {
  switch (shell) {
    case 'bash':
      return bashScript(commands);
    case 'zsh':
      return zshScript(commands);
    case 'fish':
      return fishScript(commands);
  }
}

/** The words that may follow each beginning of a command: `''`, `runs`, `policy`. */
function nextWords(commands: readonly Command[]): Map<string, { word: string; summary: string }[]> {
  const next = new Map<string, { word: string; summary: string }[]>();
  const add = (before: string, word: string, summary: string) => {
    const known = next.get(before) ?? [];
    if (!known.some((one) => one.word === word)) next.set(before, [...known, { word, summary }]);
  };
  for (const { words, summary } of commands) {
    const [first = '', second] = words.split(' ');
    add('', first, second === undefined ? summary : `Commands: ${first} ...`);
    if (second !== undefined) add(first, second, summary);
  }
  add('', 'help', 'Print what a command takes.');
  add('', 'version', 'Print the version.');
  return next;
}

/** What can stand as the value: words, or `@file`; empty where nobody can know. */
function offered({ completion }: Parameter): string {
  if (completion === null) return '';
  return completion === 'file' ? '@file' : completion.words.join(' ');
}

function optionNames({ options }: Command): string[] {
  const names = Object.entries(options).flatMap(([name, { short }]) =>
    short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`],
  );
  return [...names, '--help'];
}

function valueOptions({ options }: Command): [names: string[], words: string][] {
  return Object.entries(options)
    .filter(([, { placeholder }]) => placeholder !== null)
    .map(([name, one]) => [one.short === undefined ? [`--${name}`] : [`--${name}`, `-${one.short}`], offered(one)]);
}

function bashScript(commands: readonly Command[]): string {
  const words = [...nextWords(commands)].map(
    ([before, next]) => `    '${before}') words='${next.map(({ word }) => word).join(' ')}' ;;\n`,
  );
  const cases = commands.map((one) => {
    const values = valueOptions(one).map(([names, words]) => `        ${names.join('|')}) words='${words}' ;;\n`);
    const [first] = Object.values(one.args).map(offered);
    return `    '${one.words}')
      words='${first ?? ''}'
      [[ $cur == -* ]] && words='${optionNames(one).join(' ')}'
      case $prev in
${values.join('')}      esac ;;
`;
  });
  return `# bash completion of dagain: source <(dagain completion bash)
_dagain() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} words='' before='' word index
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    [[ $word == -* ]] && break
    case "\${before:+$before }$word" in
${[...nextWords(commands).keys()]
  .concat(commands.map(({ words }) => words))
  .filter((one) => one !== '')
  .map((one) => `      '${one}') before='${one}' ;;\n`)
  .join('')}      *) break ;;
    esac
  done
  case $before in
${words.join('')}${cases.join('')}  esac
  if [[ $words == @file ]]; then
    COMPREPLY=($(compgen -f -- "$cur"))
  else
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
  fi
}
complete -F _dagain dagain
`;
}

function zshScript(commands: readonly Command[]): string {
  const described = (pairs: readonly { word: string; summary: string }[]) =>
    pairs.map(({ word, summary }) => `      '${zshText(word)}:${zshText(summary)}'\n`).join('');
  const groups = [...nextWords(commands)].filter(([before]) => before !== '');
  const cases = commands.map((one) => {
    const options = Object.entries(one.options).flatMap(([name, option]) => zshOption(name, option));
    const args = Object.entries(one.args).map(([name, arg]) => `      '::${name}:${zshValues(arg)}'`);
    const lines = [...options, ...args, "      '--help[Print what it takes]'"];
    return `    '${one.words}')
      _arguments -s : ${lines.map((line) => line.trim()).join(' \\\n        ')} ;;
`;
  });
  return `#compdef dagain
# zsh completion of dagain: dagain completion zsh > a file _dagain in a folder of $fpath
_dagain() {
  local -a words_of
  local before=''
  if (( CURRENT == 2 )); then
    words_of=(
${described(nextWords(commands).get('') ?? [])}    )
    _describe 'command' words_of
    return
  fi
  before=$words[2]
  case $before in
${groups
  .map(
    ([before, next]) => `    ${before})
      if (( CURRENT == 3 )); then
        words_of=(
${described(next)}        )
        _describe 'command' words_of
        return
      fi
      before="$words[2] $words[3]"
      shift words; (( CURRENT-- )) ;;
`,
  )
  .join('')}  esac
  shift words; (( CURRENT-- ))
  case $before in
${cases.join('')}  esac
}
if [[ $funcstack[1] == _dagain ]]; then _dagain "$@"; else compdef _dagain dagain; fi
`;
}

function zshOption(name: string, option: Parameter): string[] {
  const text = zshText(option.summary);
  const rest = option.placeholder === null ? `[${text}]'` : `[${text}]:${name}:${zshValues(option)}'`;
  const long = `      '--${name}${rest}`;
  return option.short === undefined ? [long] : [long, `      '-${option.short}${rest}`];
}

function zshValues(one: Parameter): string {
  const words = offered(one);
  return words === '@file' ? '_files' : words === '' ? ' ' : `(${words})`;
}

/** Within single quotes, where brackets and colons have a meaning of their own. */
function zshText(text: string): string {
  return text
    .replaceAll('\\', '\\\\')
    .replaceAll("'", '’')
    .replace(/[[\]:]/g, (found) => `\\${found}`);
}

function fishScript(commands: readonly Command[]): string {
  const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines: string[] = [];
  for (const [before, next] of nextWords(commands)) {
    const condition = before === '' ? '__dagain_is_at' : `__dagain_is_at ${before}`;
    for (const { word, summary } of next) {
      lines.push(`complete -c dagain -n ${quoted(condition)} -a ${quoted(word)} -d ${quoted(summary)}`);
    }
  }
  for (const { words, args, options } of commands) {
    const condition = quoted(`__dagain_is_below ${words}`);
    const [first] = Object.values(args).map(offered);
    if (first === '@file') lines.push(`complete -c dagain -n ${condition} -F`);
    else if (first) lines.push(`complete -c dagain -n ${condition} -a ${quoted(first)}`);
    for (const [name, option] of Object.entries(options)) {
      const short = option.short === undefined ? '' : ` -s ${option.short}`;
      const offers =
        option.placeholder === null ? '' : ` -x${offered(option) === '' ? '' : ` -a ${quoted(offered(option))}`}`;
      lines.push(`complete -c dagain -n ${condition} -l ${name}${short}${offers} -d ${quoted(option.summary)}`);
    }
  }
  return `# fish completion of dagain: dagain completion fish > ~/.config/fish/completions/dagain.fish
complete -c dagain -f
function __dagain_is_at
    set -l words (commandline -opc)
    test (count $words) -eq (math 1 + (count $argv)); and test "$words[2..-1]" = "$argv"
end
function __dagain_is_below
    set -l words (commandline -opc)
    set -l last (math 1 + (count $argv))
    test (count $words) -ge $last; and test "$words[2..$last]" = "$argv"
end
${lines.join('\n')}
complete -c dagain -s h -l help -d 'Print what it takes'
`;
}
