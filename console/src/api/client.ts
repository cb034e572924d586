// Calls to the API with the session's cookies. No token is ever seen here: both are HttpOnly. The types are made from
// openapi.yaml (`npm run types`).
import createClient from 'openapi-fetch';
import type { components, paths } from './schema';
import { Problem, problemOf, unreachable } from './problem';
import { rememberSignedIn, wasRefreshedWithin } from './session-hints';

export type Schemas = components['schemas'];

// One refresh for all tabs. An old refresh token gives the same pair again until the new one is first used, so a tab that
// could not take the lock (plain http on another host has no locks) does no harm.
const LOCK = 'agentauri-refresh';
const FRESH_MS = 10_000;

async function refreshNow(): Promise<boolean> {
  if (wasRefreshedWithin(FRESH_MS)) return true;
  const answer = await fetch('/api/v1/auth/refresh', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
  if (answer.ok) rememberSignedIn(true);
  return answer.ok;
}

async function refresh(): Promise<boolean> {
  return 'locks' in navigator ? navigator.locks.request(LOCK, refreshNow) : refreshNow();
}

// Of these a 401 speaks of what was typed, not of the session.
const SIGN_IN = /\/api\/v1\/auth\/(login|register|refresh|logout|nonce|wallet)$/;

async function fetchSignedIn(request: Request): Promise<Response> {
  const again = request.clone();
  const answer = await fetch(request);
  if (answer.status !== 401 || SIGN_IN.test(new URL(request.url).pathname)) return answer;
  return (await refresh()) ? fetch(again) : answer;
}

export const api = createClient<paths>({ baseUrl: '', fetch: fetchSignedIn });

// For the routes of wallets, which openapi.yaml does not describe yet.
export function postJson<T>(path: string, body: object): Promise<T> {
  return answered(send());

  async function send() {
    const response = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const parsed: unknown = await response.json().catch(() => null);
    return response.ok ? { data: parsed as T, response } : { error: parsed, response };
  }
}

type Call<T> = Promise<{ data?: T; error?: unknown; response: Response }>;

// The data, or a Problem thrown.
export async function answered<T>(call: Call<T>): Promise<T> {
  let outcome;
  try {
    outcome = await call;
  } catch (error) {
    if (error instanceof Problem || (error instanceof DOMException && error.name === 'AbortError')) throw error;
    throw unreachable();
  }
  if (!outcome.response.ok) throw problemOf(outcome.response.status, outcome.error, outcome.response.headers.get('retry-after'));
  return outcome.data as T;
}
