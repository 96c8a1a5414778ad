import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test as base, expect, type Page } from '@playwright/test';
import en from '../src/i18n/en.json' with { type: 'json' };
import ko from '../src/i18n/ko.json' with { type: 'json' };

/** Server is a real mcic server with the Mock cloud, which lasts as long as a test file. */
export class Server {
  readonly data: string;
  url = '';
  private process?: ChildProcess;
  private readonly binary: string;

  /** alone leaves out the drivers and the repository that lie beside the program. */
  constructor(name: string, alone = false) {
    const built = process.env.MCIC ?? '../bin/mcic';
    this.data = mkdtempSync(join(tmpdir(), `mcic-e2e-${name}-`));
    this.binary = alone ? join(this.data, 'mcic') : built;
    if (alone) copyFileSync(built, this.binary);
  }

  /** start waits until the server says that it is ready. */
  async start(listen = '127.0.0.1:0', ...flags: string[]) {
    const child = spawn(this.binary, ['server', '--dev', '--data', this.data, '--listen', listen, ...flags], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.process = child;
    this.url = await new Promise<string>((resolve, reject) => {
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => {
        said += chunk;
        const url = /is ready at (http:\/\/[\d.:]+)/.exec(said)?.[1];
        if (url && said.includes('admin token lies in')) resolve(url);
      });
      child.on('error', reject);
      child.on('exit', (code) => reject(new Error(`the server ended with ${code}: ${said}`)));
    });
  }

  get token(): string {
    return readFileSync(join(this.data, 'token'), 'utf8').trim();
  }

  async stop() {
    const child = this.process;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }

  /** restart begins again at the same address, as after an upgrade. */
  async restart() {
    const { host } = new URL(this.url);
    await this.stop();
    await this.start(host);
  }

  /** call uses the API beside the browser. */
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(this.url + path, {
      method,
      headers: { Authorization: `Bearer ${this.token}`, 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  /** network makes what a VM needs. */
  async network(name = 'net', subnet = `${name}-sub`) {
    const at = '/v1/connections/mock';
    await this.call('POST', `${at}/vpcs?wait=30s`, { name, spec: { cidr: '10.0.0.0/16' } });
    await this.call('POST', `${at}/subnets?wait=30s`, { name: subnet, spec: { vpc: name, cidr: '10.0.1.0/24' } });
  }

  /** vms makes so many of them. */
  async vms(count: number, name: string, subnet: string, more: { labels?: object; spec?: object } = {}) {
    const images = (await this.call('GET', '/v1/catalog/images?connection=mock')) as { items: { id: string }[] };
    const specs = (await this.call('GET', '/v1/catalog/specs?connection=mock')) as { items: { name: string }[] };
    await this.call('POST', '/v1/connections/mock/vms?wait=2m', {
      name,
      count,
      labels: more.labels,
      spec: { image: images.items[0]?.id, spec: specs.items[0]?.name, subnet, ...more.spec },
    });
  }

  async remove() {
    await this.stop();
    rmSync(this.data, { recursive: true, force: true });
  }
}

/**
 * The pages of a test must not break the page's policy or fail by a defect. A file
 * that sets file to its own name has a server to itself: otherwise Playwright runs
 * several files with the same one.
 */
export const test = base.extend<{ watched: undefined }, { file: string; alone: boolean; server: Server }>({
  file: ['', { scope: 'worker', option: true }],
  alone: [false, { scope: 'worker', option: true }],
  server: [
    async ({ file, alone }, use) => {
      const server = new Server(file, alone);
      await server.start();
      await use(server);
      await server.remove();
    },
    { scope: 'worker' },
  ],
  watched: [
    async ({ page }, use) => {
      const wrong: string[] = [];
      page.on('pageerror', (e) => wrong.push(e.message));
      page.on('console', (m) => {
        if (m.text().includes('Content Security Policy')) wrong.push(m.text());
      });
      await use(undefined);
      expect(wrong).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

/** Way is how somebody logs in at the login page. */
export type Way = (page: Page, texts: typeof en.login) => Promise<void>;

/** byToken is the way of who has the admin token. */
export function byToken(server: Server): Way {
  return async (page, texts) => {
    await page.getByRole('textbox', { name: texts.token }).fill(server.token);
    await page.getByRole('button', { name: texts.enter }).click();
  };
}

/** byPassword is the way of a user with a password. */
export function byPassword(user: string, password: string): Way {
  return async (page, texts) => {
    await page.getByText(texts.byPassword, { exact: true }).click();
    await page.getByRole('textbox', { name: texts.user }).fill(user);
    await page.locator('input[autocomplete=current-password]').fill(password);
    await page.getByRole('button', { name: texts.enter }).click();
  };
}

/** speaking has pages in a language. */
export function speaking(page: Page, language: 'en' | 'ko') {
  return page.addInitScript(
    (l) => localStorage.getItem('mcic-language') ?? localStorage.setItem('mcic-language', l),
    language,
  );
}

/** enter logs in, with the admin token unless it is said how, and shows a page. */
export async function enter(
  page: Page,
  server: Server,
  path = '/',
  language: 'en' | 'ko' = 'en',
  way: Way = byToken(server),
) {
  await speaking(page, language);
  await page.goto(server.url + path);
  await way(page, (language === 'en' ? en : ko).login);
  await expect(page.getByRole('navigation')).toBeVisible();
}
