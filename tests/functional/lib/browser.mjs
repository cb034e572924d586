// Debian's Chromium on a page that must stay clean: whatever a page says on its console, every broken policy and every
// failed request counts as a fault unless the test named it before.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const require = createRequire(import.meta.url);
const PROGRAMS = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser'];

export class Browser {
  static async start() {
    const self = new Browser();
    const executablePath = PROGRAMS.find((program) => program && existsSync(program));
    if (!executablePath) throw new Error('chromium is missing: script/test installs it');
    // Tests may run as root, where Chromium has no sandbox.
    self.browser = await chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
    self.axe = await readFile(require.resolve('axe-core/axe.min.js'), 'utf8');
    self.tabs = [];
    return self;
  }

  // A visitor of their own: cookies and storage are shared by the pages of one context.
  async context(options = {}) {
    const context = await this.browser.newContext({ viewport: { width: 1100, height: 800 }, ...options });
    context.setDefaultTimeout(20_000);
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
    });
    return context;
  }

  async open(context, url) {
    const page = await context.newPage();
    const tab = { page, faults: [], expected: [] };
    this.tabs.push(tab);
    page.on('pageerror', (error) => tab.faults.push(`exception: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() !== 'error' && message.type() !== 'warning') return;
      const text = `${message.text()} (${message.location().url})`;
      const at = tab.expected.findIndex((pattern) => pattern.test(text));
      if (at >= 0) tab.expected.splice(at, 1);
      else tab.faults.push(text);
    });
    page.on('requestfailed', (request) => {
      if (request.failure()?.errorText !== 'net::ERR_ABORTED') tab.faults.push(`${request.url()}: ${request.failure()?.errorText}`);
    });
    // Chromium says each answer of 400 and more on the console: a test that causes one announces it.
    page.expectRefusal = (status, path) => tab.expected.push(new RegExp(`status of ${status}\\b.*${path}`));
    await page.goto(url);
    return page;
  }

  // What axe-core finds against WCAG 2.2 A and AA. It is evaluated by the debugger: the policy would block a script tag.
  async accessibility(page) {
    await page.evaluate(this.axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
    return violations.map((rule) => `${rule.id}: ${rule.nodes.map((node) => `${node.html} ${node.failureSummary}`).join(' | ')}`);
  }

  // Closes every page and tells what was wrong with any of them.
  async finish() {
    const tabs = this.tabs.splice(0);
    for (const tab of tabs) await tab.page.context().close();
    return tabs.flatMap((tab) => [...tab.faults, ...tab.expected.map((pattern) => `did not happen: ${pattern}`)]);
  }

  async stop() {
    await this.browser?.close();
  }
}
