/** Where the adapter says what it does; pino's loggers fit. No secret is ever handed to it. */
export interface AdapterLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

export const silentLog: AdapterLog = { info() {}, warn() {} };
