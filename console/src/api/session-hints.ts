// What this browser remembers beside the cookies: that somebody signed in here, so that a visitor who did not is not
// asked for a session that cannot be there. It holds no secret and proves nothing; storage may be refused.
const SIGNED_IN = 'agentauri.signed-in';

function read(): number {
  try {
    return Number(localStorage.getItem(SIGNED_IN) ?? '0');
  } catch {
    return 0;
  }
}

export function mayBeSignedIn(): boolean {
  return read() > 0;
}

export function wasRefreshedWithin(ms: number): boolean {
  return Date.now() - read() < ms;
}

// Called when the cookies were just set, or are gone.
export function rememberSignedIn(yes: boolean): void {
  try {
    if (yes) localStorage.setItem(SIGNED_IN, String(Date.now()));
    else localStorage.removeItem(SIGNED_IN);
  } catch {
    /* nothing is remembered, and the next visit begins at the sign-in page */
  }
}
