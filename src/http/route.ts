import type { Request, Response } from 'express';

/** Who may call a route. `callback`: the route checks it itself, because a signature covers the body. */
export type Access = 'open' | 'operator' | 'callback';

/** One route as data, from which the app, its 405 answers and its metrics are made. */
export interface Route {
  readonly method: 'get' | 'post';
  /** In Express's form, such as `/v1/runs/:dag_id/:dag_run_id`. */
  readonly path: string;
  readonly access: Access;
  /** Answers, or throws what `toProblem` knows. */
  readonly handle: (request: Request, response: Response) => Promise<void> | void;
}
