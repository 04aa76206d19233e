import { SETTINGS, type Setting } from '../config/environment.ts';

/** The text of `dagain --help`. */
export function usage(): string {
  return `dagain: retries whole Dag runs of Apache Airflow

Usage: dagain <command>

Commands:
  serve                      Run the service until SIGTERM or SIGINT; SIGHUP reads the policy file again.
  policy check <file>        Check a policy file: every problem with its line, key and the nearest valid key.
  policy explain <dag_id>    Show the policy in force for a Dag and where each value comes from.
  policy schema              Print the JSON Schema of the policy file, for editors.
  policy reference           Print the reference page of the policy, in Markdown.
  alerts test [channel]      Send a test alert and its recovery to one channel, or to all, and print what they answered.
  doctor                     Check store, Airflow, permissions, clocks, policy and alerts; say what to do about each.
  version                    Print the version.
  help                       Print this text.

Options:
  -o, --output <text|json>   How policy explain and doctor print (text).
  -h, --help                 Print this text.
      --version              Print the version.

Exit codes: 0 done; 1 it did not work; 2 wrong usage or settings. Of doctor: 0 nothing failed (warnings may be); 1 a check
failed; 2 as above.

Settings (environment; those marked * also as NAME_FILE, which names a file that holds the value):
${settingsTable()}
`;
}

function settingsTable(): string {
  const rows = Object.entries(SETTINGS as Record<string, Setting<unknown>>);
  return rows
    .map(([name, one]) => {
      const fallback = one.fallback === null ? '' : ` (${one.fallback})`;
      return `  ${`${name}${one.secret === true ? ' *' : ''}`.padEnd(30)} ${one.description}${fallback}`;
    })
    .join('\n');
}
