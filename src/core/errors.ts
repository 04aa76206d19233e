/** The stable words by which a caller, a log line or a test can tell errors apart. */
export type ErrorCode =
  | 'configuration_invalid'
  | 'store_unavailable'
  | 'store_contention'
  | 'store_corrupt'
  | 'store_unsupported'
  | 'cursor_invalid'
  | 'invalid_transition';

/** The one error class of the service: `code` is stable, `message` is for people, `cause` holds what was caught. */
export class DagainError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DagainError';
    this.code = code;
  }
}
