// The page of the API's description in Chromium, under the policy that it is served with: what a page says on its console,
// a broken policy or a failed request fails.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { AgentAuri } from '../lib/agentauri.mjs';
import { Browser } from '../lib/browser.mjs';
import { until } from '../lib/wait.mjs';

describe('the page of the API', () => {
  let app, browser;
  before(async () => {
    app = await AgentAuri.start();
    browser = await Browser.start();
  });
  after(async () => {
    await browser?.stop();
    await app?.stop();
  });
  afterEach(async () => assert.deepEqual(await browser.finish(), []));

  test('shows every operation of openapi.json, and tries one out on this host', async () => {
    const document = await (await fetch(`${app.url}/api/v1/openapi.json`)).json();
    const operations = Object.values(document.paths).flatMap((path) => Object.keys(path)).filter((name) => /^(get|post|put|patch|delete)$/.test(name));
    assert.ok(operations.length > 70);
    const page = await browser.open(await browser.context(), `${app.url}/api-docs/`);
    const shown = page.locator('.opblock');
    await until('the operations', async () => (await shown.count()) === operations.length);
    await page.getByRole('heading', { name: /AgentAuri API/ }).waitFor();
    assert.deepEqual(await page.locator('.servers option').allInnerTexts(), [app.url]);

    const liveness = page.locator('#operations-Health-health_live');
    await liveness.locator('.opblock-summary-control').click();
    await liveness.getByRole('button', { name: 'Try it out' }).click();
    await liveness.getByRole('button', { name: 'Execute' }).click();
    await liveness.locator('.live-responses-table').getByText('"alive"').waitFor();
  });

  test('reads nothing of another host, whatever its address says', async () => {
    const asked = [];
    const page = await browser.open(await browser.context(), 'about:blank');
    page.on('request', (request) => asked.push(request.url()));
    await page.goto(`${app.url}/api-docs/?url=https://evil.example/openapi.json&configUrl=https://evil.example/c.json`);
    await page.locator('.opblock').first().waitFor();
    assert.deepEqual(asked.filter((url) => !url.startsWith(`${app.url}/`)), []);
  });

  test('is served packed, from its folder only, and counted by no limit', async () => {
    const index = await fetch(`${app.url}/api-docs/`);
    assert.equal(index.headers.get('content-encoding'), 'gzip');
    assert.equal(index.headers.get('x-ratelimit-limit'), null);
    assert.match(index.headers.get('content-security-policy'), /default-src 'none'; script-src 'self';/);
    assert.doesNotMatch(index.headers.get('content-security-policy'), /unsafe/);
    const plain = await fetch(`${app.url}/api-docs/`, { headers: { 'Accept-Encoding': 'identity' } });
    assert.equal(plain.headers.get('content-encoding'), null);
    assert.equal(await plain.text(), await index.text());
    assert.equal((await fetch(`${app.url}/api-docs`)).status, 404);
    assert.equal((await fetch(`${app.url}/api-docs/package.json`)).status, 404);
    assert.equal((await fetch(`${app.url}/api-docs/LICENSE.txt`)).status, 200);
  });
});
