/** What the engine needs of a logger; pino's has it. Every line that concerns a run carries its ids and the reason. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
