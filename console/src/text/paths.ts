export const BASE = '/console';

// Where to go after signing in: a page of the console, whatever an address somebody sent may say.
export function safeNext(next: string | undefined): string {
  const fallback = `${BASE}/triggers`;
  if (next === undefined || next.length > 500 || !/^\/console\/[A-Za-z0-9/_-]*$/.test(next) || next.includes('//')) return fallback;
  return next;
}
