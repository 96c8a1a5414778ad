import i18next from 'i18next';
import createClient from 'openapi-fetch';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];
export type Problem = Schemas['ProblemDocument'];
export type FieldProblem = Schemas['Problem'];

/** ApiError is an answer that is not a success, or none at all (status 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly problem?: Problem;

  constructor(status: number, message: string, problem?: Problem) {
    super(message);
    this.status = status;
    this.problem = problem;
  }

  get fields(): FieldProblem[] {
    return this.problem?.fields ?? [];
  }
}

/** The header without which the server changes nothing for a session. */
const headers = { 'Mcic-Console': '1' };

/** client calls what the OpenAPI document describes one by one. */
export const client = createClient<paths>({ baseUrl: '/', headers, fetch: reach });

let whenLoggedOut = () => {};

/** onLoggedOut says what to do when the server does not know the session any more. */
export function onLoggedOut(then: () => void) {
  whenLoggedOut = then;
}

async function reach(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiError(0, i18next.t('failure.networkDoc'));
  }
}

/** data returns what a call answered, or throws the problem. */
export async function data<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data: body, error, response } = await call;
  if (!response.ok) throw failure(response, error);
  return body as T;
}

function failure(response: Response, error: unknown): ApiError {
  // A cloud that refuses a credential is answered by 401, too, but without a challenge.
  if (response.status === 401 && response.headers.has('WWW-Authenticate')) whenLoggedOut();
  const problem = typeof error === 'object' && error !== null && 'detail' in error ? (error as Problem) : undefined;
  return new ApiError(response.status, problem?.detail ?? `HTTP ${response.status}`, problem);
}

/** send calls a path that is known only at run time, such as those of a kind. With a key the server does it once. */
export async function send<T>(
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  body?: unknown,
  { signal, key }: { signal?: AbortSignal; key?: string } = {},
): Promise<T> {
  const json = body === undefined ? undefined : JSON.stringify(body);
  const response = await reach(
    new Request(path, {
      method,
      signal,
      body: json,
      headers: {
        ...headers,
        ...(json && { 'Content-Type': 'application/json' }),
        ...(key && { 'Idempotency-Key': key }),
      },
    }),
  );
  const text = await response.text();
  const answer: unknown = text && response.headers.get('Content-Type')?.includes('json') ? JSON.parse(text) : undefined;
  if (!response.ok) throw failure(response, answer);
  return answer as T;
}

/** Session says until when the browser is logged in, who as, and whether the server is one to try things out. */
export type Session = { until: string; user?: string; dev: boolean };

/** session returns how the browser is logged in, or null. */
export async function session(): Promise<Session | null> {
  const response = await reach(new Request('/v1/session', { headers }));
  if (response.status === 401) return null;
  if (!response.ok) throw new ApiError(response.status, `HTTP ${response.status}`);
  return (await response.json()) as Session;
}

/** Proof is what somebody logs in with. The code is of the second step, for who has one. */
export type Proof = { token: string } | { user: string; password: string; code?: string };

export function login(proof: Proof): Promise<Session> {
  return send('POST', '/v1/session', proof);
}

/** logout ends the login, and answers where the browser ends the one at the provider of single sign-on, too. */
export async function logout(): Promise<string | undefined> {
  return (await send<{ logoutAt: string } | undefined>('DELETE', '/v1/session'))?.logoutAt;
}

/** asksForCode says whether a login was refused for want of the code of a second step, or for a wrong one. */
export function asksForCode(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401 && error.fields.some((f) => f.field === 'code');
}

/** Ways are how one can log in beside the admin token. */
export type Ways = { passwords: boolean; singleSignOn?: { name: string; path: string } };

/** ways asks how one can log in. A server that does not tell knows passwords. */
export function ways(): Promise<Ways> {
  return send<Ways>('GET', '/v1/session/ways').catch((e: unknown) => {
    if (e instanceof ApiError && e.status === 404) return { passwords: true };
    throw e;
  });
}

/** accept chooses the password of who is invited, and answers whose it is. */
export function accept(code: string, password: string): Promise<{ user: string }> {
  return send('POST', '/v1/invitation', { code, password });
}
