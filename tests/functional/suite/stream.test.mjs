// The event stream, from a real node to a client that leaves and comes back.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Anvil } from '../lib/anvil.mjs';
import { Client } from '../lib/agentauri.mjs';
import { EventSource } from '../lib/event_source.mjs';
import { ENGINES, launch, stopEngines } from '../lib/engines.mjs';
import { until } from '../lib/wait.mjs';

const scores = (stream) => stream.messages.map((m) => (m.event === 'retracted' ? -1 : 1) * JSON.parse(m.data).data.score);

for (const engine of ENGINES) {
  describe(`event stream on ${engine}`, () => {
    let anvil, app, user, stream;
    before(async () => {
      anvil = await Anvil.start();
      app = await launch(engine, anvil.environment());
      user = await Client.registered(app.url);
    });
    after(async () => {
      stream?.close();
      await app?.stop();
      await anvil?.stop();
    });
    const open = (lastEventId) => EventSource.open(`${app.url}/api/v1/events/stream?eventType=NewFeedback`, { authorization: `Bearer ${user.session.token}` }, lastEventId);
    const rate = (score) => anvil.call('reputation', 'feedback', 1, score, 0, 'starred', '', '');

    test('events come as they happen, and once, although the client was away', async () => {
      stream = await open();
      await rate(11);
      await until('the first event', () => stream.messages.length === 1);
      const listed = (await user.get('/api/v1/events?eventType=NewFeedback')).body.data[0];
      assert.deepEqual(JSON.parse(stream.messages[0].data), listed);
      stream.close();
      await rate(12);
      await rate(13);
      await until('both to be stored', async () => (await user.get('/api/v1/events?eventType=NewFeedback')).body.pagination.total === 3);
      stream = await open(stream.lastEventId);
      await rate(14);
      await until('the rest', () => stream.messages.length >= 3);
      assert.deepEqual(scores(stream), [12, 13, 14]);
    });

    test('what a reorganisation takes back is said', async () => {
      const before = stream.messages.length;
      await rate(20);
      await until('the event', () => stream.messages.length === before + 1);
      await anvil.rpc('anvil_reorg', 1, []);
      await until('its retraction', () => stream.messages.length === before + 2);
      assert.deepEqual(scores(stream).slice(before), [20, -20]);
      const [event, retracted] = stream.messages.slice(before).map((m) => JSON.parse(m.data));
      assert.deepEqual(retracted, event);
    });

    test('it goes on behind a restart, and a stop does not wait for it', async () => {
      const started = Date.now();
      app.child.kill('SIGTERM');
      await app.child.ended;
      assert.ok(Date.now() - started < 5000, 'the stop waited for an open stream');
      await stream.ended;
      await rate(30);
      await app.launch();
      stream = await open(stream.lastEventId);
      await until('the event of the downtime', () => stream.messages.length === 1);
      assert.deepEqual(scores(stream), [30]);
    });
  });
}
after(stopEngines);
