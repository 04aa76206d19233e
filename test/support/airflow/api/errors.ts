import { json, Refusal } from './messages.ts';

/** One entry of the list that FastAPI answers with a 422. */
export interface FieldError {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly input: unknown;
  readonly ctx?: Readonly<Record<string, unknown>>;
}

/** Airflow 3's errors: `detail` is a text, for invalid fields a list. */
export function refuse(
  status: number,
  detail: string | readonly FieldError[] | Readonly<Record<string, string>>,
): never {
  throw new Refusal(json(status, { detail }));
}

const DOCS = 'https://airflow.apache.org/docs/apache-airflow';

const SECTIONS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthenticated',
  403: 'PermissionDenied',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'AlreadyExists',
};

interface Problem {
  readonly status: number;
  readonly title: string;
  readonly detail?: string | null;
  /** Errors of the framework, rather than of Airflow, name no section. */
  readonly isGeneric?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Airflow 2's errors: problem documents. */
export function problem(release: string, { status, title, detail = null, isGeneric = false, headers }: Problem): never {
  const section = SECTIONS[status];
  const type =
    isGeneric || section === undefined
      ? 'about:blank'
      : `${DOCS}/${release}/stable-rest-api-ref.html#section/Errors/${section}`;
  throw new Refusal(
    json(status, { detail, status, title, type }, { 'content-type': 'application/problem+json', ...headers }),
  );
}
