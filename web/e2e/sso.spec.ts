import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { Page } from '@playwright/test';
import { expect, Server, speaking, test } from './server';

// The certificate of the Keycloak is one that it has made itself.
test.use({ ignoreHTTPSErrors: true });
test.describe.configure({ mode: 'serial' });
test.skip(
  !process.env.MCIC_REQUIRE_KEYCLOAK && spawnSync('java', ['-version']).error !== undefined,
  'there is no Java for Keycloak',
);

/** Keycloak is what test/keycloak says of one that runs. */
interface Keycloak {
  issuer: string;
  ca: string;
  client: string;
  secretFile: string;
  cliClient: string;
  users: { name: string; password: string }[];
}

let provider: ChildProcess;
let keycloak: Keycloak;
let server: Server;

test.beforeAll(async () => {
  test.setTimeout(600_000); // Keycloak is fetched and built on a new machine
  const address = `127.0.0.1:${await freePort()}`;
  provider = spawn('go', ['run', './test/keycloak', '--server', `http://${address}`], {
    cwd: '..',
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: provider.stdout as NodeJS.ReadableStream })) {
    keycloak = JSON.parse(line);
    break;
  }
  const { issuer, ca, client, secretFile } = keycloak;
  server = new Server('sso');
  const flags = ['--sso-issuer', issuer, '--sso-ca', ca, '--sso-client', client, '--sso-secret-file', secretFile];
  await server.start(address, ...flags, '--sso-name', 'Keycloak');
  await server.call('POST', '/v1/connections', { name: 'tokyo', cloud: 'mock', region: 'mock-tokyo' });
  await server.call('POST', '/v1/groups', { name: 'team-a' });
  await server.call('POST', '/v1/grants', { group: 'team-a', role: 'viewer', connections: ['mock'] });
});

test.afterAll(async () => {
  await server?.remove();
  provider?.stdin?.end();
  if (provider?.exitCode === null) await once(provider, 'exit');
});

async function freePort(): Promise<number> {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  taken.close();
  await once(taken, 'close');
  return port;
}

/** logIn goes by the login page to Keycloak, and back. */
async function logIn(page: Page, user: string) {
  await page.getByRole('link', { name: 'Log in with Keycloak' }).click();
  await page.locator('#username').fill(user);
  await page.locator('#password').fill(keycloak.users.find((u) => u.name === user)?.password ?? '');
  await page.locator('#kc-login').click();
}

test('who logs in through Keycloak sees what the groups may, and logs out there too', async ({ page }) => {
  await speaking(page, 'en');
  await page.goto(`${server.url}/connections`);
  await logIn(page, 'anna');

  await expect(page).toHaveURL(`${server.url}/connections`);
  await expect(page.getByRole('link', { name: 'mock', exact: true })).toBeVisible();
  await expect(page.getByText('tokyo')).toBeHidden();
  await page.goto(`${server.url}/people`);
  await expect(page.getByRole('alert')).toContainText('anna may not read (person)');

  await page.getByRole('button', { name: 'Account, language, theme and logout' }).click();
  await page.getByRole('menuitem', { name: 'Log out' }).click();
  await expect(page.getByRole('link', { name: 'Log in with Keycloak' })).toBeVisible();
  await page.getByRole('link', { name: 'Log in with Keycloak' }).click();
  await expect(page.locator('#password')).toBeVisible(); // not let in again without it
});

test('who is in no group may do nothing, and is told so', async ({ page }) => {
  await speaking(page, 'en');
  await page.goto(server.url);
  await logIn(page, 'carl');
  await expect(page.getByRole('navigation')).toBeVisible();
  await page.goto(`${server.url}/connections`);
  await expect(page.getByRole('alert').first()).toContainText('carl may not read');
});
