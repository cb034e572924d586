// What a gateway answers while something is wrong behind it.
import assert from 'node:assert/strict';
import { until } from './wait.mjs';

// Calls of the API at a steady pace, and what they were answered.
export class Calls {
  constructor(user) {
    this.user = user;
    this.answers = [];
  }
  begin() {
    this.going = true;
    this.running = (async () => {
      for (let n = 0; this.going; n++) {
        const answer = await (n % 4 === 3
          ? this.user.post('/api/v1/triggers', { name: `made ${n}`, chain_id: 31337, registry: 'validation', enabled: false })
          : this.user.get('/api/v1/triggers?limit=1'));
        this.answers.push({ status: answer.status, retryAfter: answer.headers.get('retry-after'), error: answer.body?.error, message: answer.body?.message });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
  }
  // Every answer is a success, or a 503 that says when to come again.
  async end() {
    this.going = false;
    await this.running;
    for (const answer of this.answers) {
      if (answer.status < 300) continue;
      assert.equal(answer.status, 503, JSON.stringify(answer));
      assert.equal(answer.error, 'service_unavailable', JSON.stringify(answer));
      assert.ok(Number(answer.retryAfter) >= 1, JSON.stringify(answer));
    }
    return this.answers.filter((answer) => answer.status === 503).length;
  }
}

export const health = async (app, which = '') => {
  const answer = await fetch(`${app.url}/api/v1/health${which}`);
  return { status: answer.status, body: await answer.json() };
};
// How long after `since` the gateway is ready again.
export async function readyAfter(app, since) {
  await until('readiness', async () => (await health(app, '/ready')).status === 200, { everyMs: 20 });
  return Date.now() - since;
}
