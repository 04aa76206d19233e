import { z } from 'zod';
import { CHANNEL_NAMES } from '../core/policy.ts';
import { Id } from '../core/run-key.ts';
import type { Context, ExitCode } from './command.ts';
import { dagsList, dagsPause, dagsResume } from './dags.ts';
import { events } from './events.ts';
import { dagId } from './parameters.ts';
import { checkPolicy, printPolicySchema } from './policy.ts';
import { policyReference } from './policy-reference.ts';
import { runsExplain } from './runs/explain.ts';
import { runsList } from './runs/list.ts';
import { runOperations } from './runs/operate.ts';
import { runsShow } from './runs/show.ts';
import { runsWatch } from './runs/watch.ts';
import { stats, status } from './stats.ts';
import { completionScript, SHELLS } from './tree/completion.ts';
import { type Command, choice, command, value } from './tree/spec.ts';

/** What needs the parts of the service itself, which only the app puts together. */
export interface LocalCommands {
  serve(context: Context): Promise<ExitCode>;
  explainPolicy(dagId: string, asJson: boolean, context: Context): Promise<ExitCode>;
  /** Null: all channels. */
  testAlerts(channel: string | null, context: Context): Promise<ExitCode>;
  doctor(asJson: boolean, context: Context): Promise<ExitCode>;
}

const output = choice(['text', 'json'], '<format>', 'How it is printed (text).', 'o');

/** Of commands that do what the service would do, without asking it. */
const OWN_SETTINGS = 'Reads the settings of the service itself, not DAGAIN_URL: run it where the service runs.';

/** Every command there is, in the order in which the help lists them. */
export function commandTree(local: LocalCommands): Command[] {
  const tree: Command[] = [
    command({
      words: 'serve',
      summary: 'Run the service until SIGTERM or SIGINT; SIGHUP reads the policy file again.',
      args: {},
      options: {},
      run: (_, context) => local.serve(context),
    }),
    ...[runsList, runsShow, runsExplain, runsWatch, ...runOperations],
    ...[dagsList, dagsPause, dagsResume, events, stats, status],
    ...policyCommands(local),
    command({
      words: 'alerts test',
      summary: 'Send a test alert and its recovery to one channel, or to all, and print what they answered.',
      details: [OWN_SETTINGS],
      args: {
        channel: value(z.string().optional(), '<channel>', 'One channel.', { completion: { words: CHANNEL_NAMES } }),
      },
      options: {},
      run: ({ args }, context) => local.testAlerts(args.channel ?? null, context),
    }),
    command({
      words: 'doctor',
      summary: 'Check store, Airflow, permissions, clocks, policy and alerts; say what to do about each.',
      details: [OWN_SETTINGS, 'Ends with 0 when nothing failed (warnings may be), with 1 when a check failed.'],
      args: {},
      options: { output },
      run: ({ options }, context) => local.doctor(options.output === 'json', context),
    }),
    command({
      words: 'completion',
      summary: 'Print the completion script of a shell.',
      details: [
        'bash: source <(dagain completion bash). zsh: dagain completion zsh > a file _dagain in a folder of $fpath. fish: ' +
          'dagain completion fish > ~/.config/fish/completions/dagain.fish.',
      ],
      args: {
        shell: value(z.enum(SHELLS, 'must be bash, zsh or fish'), '<shell>', 'The shell.', {
          completion: { words: SHELLS },
        }),
      },
      options: {},
      run: async ({ args }, { screen }) => print(completionScript(args.shell, tree), screen),
    }),
  ];
  return tree;
}

function policyCommands(local: LocalCommands): Command[] {
  return [
    command({
      words: 'policy check',
      summary: 'Check a policy file: every problem with its line, key and the nearest valid key.',
      args: { file: value(z.string(), '<file>', 'The file.', { completion: 'file' }) },
      options: {},
      run: async ({ args }, { screen }) => checkPolicy(args.file, screen),
    }),
    command({
      words: 'policy explain',
      summary: 'Show the policy in force for a Dag and where each value comes from.',
      details: [OWN_SETTINGS],
      args: { dag_id: { ...dagId, schema: Id } },
      options: { output },
      run: ({ args, options }, context) => local.explainPolicy(args.dag_id, options.output === 'json', context),
    }),
    command({
      words: 'policy schema',
      summary: 'Print the JSON Schema of the policy file, for editors.',
      args: {},
      options: {},
      run: async (_, { screen }) => printPolicySchema(screen),
    }),
    command({
      words: 'policy reference',
      summary: 'Print the reference page of the policy, in Markdown.',
      args: {},
      options: {},
      run: async (_, { screen }) => print(policyReference(), screen),
    }),
  ];
}

function print(text: string, screen: Context['screen']): ExitCode {
  screen.out(text);
  return 0;
}
