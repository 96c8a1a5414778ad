import AxeBuilder from '@axe-core/playwright';
import { enter, expect, test } from './server';
import { hasSshd, Sshd } from './sshd';

test.use({ file: 'terminal' });
test.describe.configure({ mode: 'serial' });
test.skip(!hasSshd, 'there is no sshd; install the package openssh-server');

let sshd: Sshd;

test.beforeAll(async ({ server }) => {
  sshd = new Sshd();
  const ssh = await sshd.start();
  await server.call('POST', '/v1/connections', { name: 'ssh', cloud: 'mock', region: 'mock-seoul', settings: { ssh } });
  const at = '/v1/connections/ssh';
  await server.call('POST', `${at}/vpcs?wait=30s`, { name: 'net', spec: { cidr: '10.0.0.0/16' } });
  await server.call('POST', `${at}/subnets?wait=30s`, { name: 'sub', spec: { vpc: 'net', cidr: '10.0.1.0/24' } });
  await server.call('POST', `${at}/keypairs?wait=30s`, { name: 'key', spec: { algorithm: 'ed25519' } });
  const key = (await server.call('GET', `${at}/keypairs/key`)) as { effective: { publicKey: string } };
  sshd.authorize(key.effective.publicKey);
  const images = (await server.call('GET', '/v1/catalog/images?connection=ssh&filter=os=ubuntu')) as {
    items: { id: string; architecture: string }[];
  };
  const specs = (await server.call('GET', '/v1/catalog/specs?connection=ssh')) as {
    items: { name: string; architectures: string[] }[];
  };
  const image = images.items[0];
  const spec = specs.items.find((s) => image && s.architectures.includes(image.architecture));
  await server.call('POST', `${at}/vms?wait=1m`, {
    name: 'web',
    spec: { image: image?.id, spec: spec?.name, subnet: 'sub', keypair: 'key' },
  });
});

test.afterAll(() => sshd?.stop());

test('a terminal shows what a machine answers, and why there is none', async ({ page, server }) => {
  await enter(page, server, '/resources/vms/ssh/web?tab=terminal');
  await expect(page.getByRole('textbox', { name: 'User' })).toHaveValue(sshd.user);
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  const screen = page.locator('.xterm-rows');
  await expect(page.getByText('First login: its host key is recorded now.')).toBeVisible();
  await page.keyboard.type('PS1="ready> "; printf "\\033[38;2;200;40;40mred\\033[0m %s\\n" $((6*7))\n');
  await expect(screen).toContainText('red 42');
  const red = screen.locator('span', { hasText: /^red$/ });
  expect(await red.evaluate((e) => getComputedStyle(e).color)).toMatch(/^rgb\((1[5-9]\d|2\d\d), \d{1,2}, \d{1,2}\)$/);
  await page.keyboard.type('stty size\n');
  await expect(screen).toContainText(/\d\d+ \d\d+/);
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    const { violations } = await new AxeBuilder({ page }).include('.terminal-panel').analyze();
    const serious = violations.filter((v) => v.impact === 'serious' || v.impact === 'critical');
    expect(serious.map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 200)).slice(0, 3)])).toEqual([]);
  }

  // Another tab of the page does not end it.
  await page.getByRole('tab', { name: 'Overview' }).click();
  await page.getByRole('tab', { name: 'Terminal' }).click();
  await expect(screen).toContainText('red 42');
  await page.locator('.xterm-helper-textarea').focus();
  await page.keyboard.type('echo still $((2*3)); exit 3\n');
  await expect(screen).toContainText('still 6');
  await expect(page.getByText('The session has ended (exit code 3).')).toBeVisible();

  sshd.newHostKey();
  await page.getByRole('button', { name: 'Connect again' }).click();
  await expect(page.getByText('This is not the machine that was seen before')).toBeVisible();
  await page.getByRole('button', { name: 'Forget the old host key' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Forget the old host key' }).click();
  await expect(page.getByText('This is not the machine that was seen before')).toBeHidden();
  await page.getByText('Private key', { exact: true }).first().click();
  await page.getByRole('textbox', { name: 'Private key' }).fill('not a key');
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await expect(page.getByText('is not a private key in PEM format').first()).toBeVisible();
  await page.getByText('Its key pair', { exact: true }).click();
  await page.getByRole('button', { name: 'Connect again' }).click();
  await expect(page.getByText('Logged in as')).toBeVisible();
  await server.stop();
  await expect(page.getByText('Closed, because the server is stopping')).toBeVisible();
  await server.restart();
  await page.getByRole('button', { name: 'Connect again' }).click();
  await expect(page.getByText('Logged in as')).toBeVisible();
});
