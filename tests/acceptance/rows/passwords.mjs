// Rows 90 and 91: passwords.
import assert from 'node:assert/strict';
import { Browser } from '../../functional/lib/browser.mjs';
import { GATEWAY } from '../system.mjs';

let names = 0;
// The codes of a refusal, or nothing when the password was taken.
async function judged(system, password, base, username = `pw${process.pid}x${++names}`) {
  const answer = await system.http('POST', '/api/v1/auth/register', { base, body: { username, email: `${username}@example.org`, password } });
  if (answer.status === 201) return [];
  assert.equal(answer.status, 400, answer.text);
  return answer.body.details.map((each) => each.code);
}

export const rows = {
  90: async (system) => {
    await system.gateway();
    for (const [password, code] of [['short 7', 'password_too_short'], ['x1 '.repeat(43), 'password_too_long'], ['password1', 'password_too_common']]) assert.deepEqual(await judged(system, password), [code], password.slice(0, 20));
    assert.ok((await judged(system, 'identity-river', GATEWAY, 'identity-river')).includes('password_is_identity'));
    for (const password of ['SecurePass123!', 'testpass123']) assert.deepEqual(await judged(system, password), [], password);
    await system.withGateway({ PASSWORD_POLICY: 'strict', DB_NAME: await system.freshDatabase() }, async (base) => {
      for (const [password, code] of [['quartz!lamp42x', 'password_no_uppercase'], ['QUARTZ!LAMP42X', 'password_no_lowercase'], ['Quartz!Lampenx', 'password_no_digit'], ['Quartz7Lamp42x', 'password_no_special'], ['Qz!4mpX', 'password_too_short']])
        assert.deepEqual(await judged(system, password, base), [code], password);
      assert.deepEqual(await judged(system, 'SecurePass123!', base), []);
    });
    return 'each rule with its code, default and strict';
  },

  91: async (system) => {
    await system.gateway();
    const browser = await Browser.start();
    const levels = [];
    try {
      const page = await browser.open(await browser.context(), `${GATEWAY}/console/`);
      await page.getByRole('link', { name: 'Register' }).click();
      await page.getByLabel('User name').fill('meter');
      await page.getByLabel('E-mail').fill('meter@example.org');
      const field = page.getByLabel('Password', { exact: true });
      const meter = page.getByRole('meter', { name: 'Strength' });
      const button = page.getByRole('button', { name: 'Create account' });
      for (const [password, level] of [['abc', /weak/], ['a quiet', /weak|fair/], ['a quiet river', /fair|good|strong/], ['a quiet river 77, Über den Strom!', /strong/]]) {
        await field.fill(password);
        await meter.waitFor();
        await page.waitForFunction(([pattern]) => new RegExp(pattern).test(document.querySelector('[role=meter]')?.getAttribute('aria-valuetext')), [level.source]);
        levels.push((await meter.getAttribute('aria-valuetext')).split(/[^a-z]/)[0]);
      }
      assert.ok(new Set(levels).size >= 2, levels.join(' '));
      await field.fill('abc');
      await page.getByText('at least 8 characters').first().waitFor();
      // Whether the button is disabled or the form keeps itself back: nothing is sent.
      const sent = [];
      page.on('request', (request) => request.method() === 'POST' && sent.push(request.url()));
      if (await button.isEnabled()) await button.click();
      await page.getByText('at least 8 characters').first().waitFor();
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
      assert.deepEqual(sent, [], 'the form was sent although the server’s rules are not met');
      await field.fill('a quiet river 77');
      await button.click();
      await page.getByRole('heading', { level: 1, name: 'Triggers' }).waitFor();
    } finally {
      await browser.stop();
    }
    return levels.join(' → ');
  },
};
