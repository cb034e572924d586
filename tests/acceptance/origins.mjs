// What a browser is told about a page of `origin` that wants to POST: the allowed origin, or null.
import { GATEWAY } from './system.mjs';

export async function preflight(origin, base = GATEWAY) {
  const answer = await fetch(`${base}/api/v1/triggers`, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
  return answer.headers.get('access-control-allow-origin');
}
