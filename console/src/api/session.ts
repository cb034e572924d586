// Who is signed in, for every page and every tab.
import { useEffect, useState } from 'preact/hooks';
import { answered, api, type Schemas } from './client';
import { Problem } from './problem';
import { mayBeSignedIn, rememberSignedIn } from './session-hints';
import { signInWithWallet, type WalletProvider } from './wallet';

export type Session =
  | { state: 'unknown' }
  | { state: 'signed-out' }
  | { state: 'signed-in'; user: Schemas['MeResponse'] }
  | { state: 'failed'; problem: Problem };

let current: Session = { state: 'unknown' };
const listeners = new Set<(session: Session) => void>();
const tabs = new BroadcastChannel('agentauri-session');

function set(next: Session): void {
  current = next;
  for (const listener of listeners) listener(next);
}

export async function loadSession(): Promise<void> {
  if (!mayBeSignedIn()) return set({ state: 'signed-out' });
  await askWho();
}

async function askWho(): Promise<void> {
  try {
    set({ state: 'signed-in', user: await answered(api.GET('/api/v1/auth/me')) });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.status === 401) endSession();
    else set({ state: 'failed', problem: error });
  }
}

// The cookies are gone or no longer good.
export function endSession(): void {
  rememberSignedIn(false);
  set({ state: 'signed-out' });
}

async function signedIn(): Promise<void> {
  rememberSignedIn(true);
  await askWho();
  tabs.postMessage('signed-in');
}

export async function signIn(identifier: string, password: string): Promise<void> {
  await answered(api.POST('/api/v1/auth/login', { body: { username_or_email: identifier, password } }));
  await signedIn();
}

export async function signInByWallet(wallet: WalletProvider): Promise<void> {
  await signInWithWallet(wallet);
  await signedIn();
}

export async function register(account: Schemas['RegisterRequest']): Promise<void> {
  await answered(api.POST('/api/v1/auth/register', { body: account }));
  await signedIn();
}

export async function signOut(): Promise<void> {
  await answered(api.POST('/api/v1/auth/logout', { body: {} }));
  endSession();
  tabs.postMessage('signed-out');
}

// The message says it: what another tab stored may arrive later.
tabs.addEventListener('message', (event) => {
  if (event.data === 'signed-out') set({ state: 'signed-out' });
  else void askWho();
});

export function useSession(): Session {
  const [session, setSession] = useState(current);
  useEffect(() => {
    setSession(current);
    listeners.add(setSession);
    return () => void listeners.delete(setSession);
  }, []);
  return session;
}
