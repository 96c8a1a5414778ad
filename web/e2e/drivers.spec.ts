import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { enter, expect, type Server, test } from './server';

test.use({ file: 'drivers', alone: true });

/** publish makes a repository with two versions of a small driver, and answers its public key. */
function publish(server: Server, url: string): string {
  const at = (name: string) => join(server.data, name);
  const mcic = (...args: string[]) => execFileSync(at('mcic'), ['driver', ...args], { stdio: 'pipe' });
  mcic('keygen', at('key'));
  const platform = execFileSync('go', ['env', 'GOOS', 'GOARCH'], { encoding: 'utf8' }).trim().replace('\n', '/');
  for (const version of ['1.0.0', '2.0.0']) {
    const program = at('build/mcic-driver-depot');
    const flags = `-s -w -X main.version=${version}`;
    execFileSync('go', ['build', '-ldflags', flags, '-o', program, '../test/depot'], {
      env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-trimpath' },
    });
    mcic('package', '--build', `${platform}=${program}`, '--to', at('dist'));
    mcic('publish', `depot:${version}`, '--from', at('dist'), '--to', url, '--key', at('key'));
  }
  return readFileSync(at('key.pub'), 'utf8');
}

test('a driver comes from a repository, and goes', async ({ page, server }) => {
  const folder = join(server.data, 'shelf');
  const key = publish(server, folder);
  await enter(page, server, '/drivers');
  await expect(page.getByRole('row').filter({ hasText: 'Comes with the server' })).toHaveCount(1);
  await expect(page.getByText('There is none yet.')).toBeVisible();

  await page.getByRole('button', { name: 'Add a repository' }).click();
  const drawer = page.getByRole('dialog');
  await drawer.getByRole('textbox', { name: 'Name', exact: true }).fill('ours');
  await drawer.getByRole('textbox', { name: 'Address' }).fill(`file://${folder}`);
  await drawer.getByRole('button', { name: 'Save' }).click();
  await expect(drawer.getByText(/is required: the public keys/).first()).toBeVisible();
  await drawer.getByRole('switch', { name: 'Install without a trusted signature' }).click();
  await expect(drawer.getByRole('alert').filter({ hasText: 'can run programs on this server' })).toBeVisible();
  await expect(drawer.getByRole('button', { name: 'Save it as insecure' })).toBeVisible();
  await drawer.getByRole('switch', { name: 'Install without a trusted signature' }).click();
  await drawer.getByRole('button', { name: 'Add a trusted key' }).click();
  await drawer.getByRole('textbox', { name: 'Trusted public key 1' }).fill(key);
  await drawer.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(drawer).toBeHidden();
  await expect(page.getByText('trusted keys: 1')).toBeVisible();
  await page.getByRole('textbox', { name: 'Name, cloud or kind' }).fill('kubernetes nothing');
  await expect(page.getByText('No repository has such a driver.')).toBeVisible();

  await page.goto(`${server.url}/setup`);
  await page.getByRole('combobox', { name: 'Version of The Depot' }).click();
  await page.getByRole('option', { name: '1.0.0' }).click();
  await page.getByRole('button', { name: 'Install The Depot' }).click();
  await expect(page.getByRole('textbox', { name: 'Name of the credential' })).toHaveValue('depot-credential');
  // Its way is told step by step, and stays to be read among the operations.
  await page.getByRole('button', { name: /^Operations, / }).click();
  const tray = page.getByRole('dialog', { name: 'What goes on' });
  await expect(tray.getByText('depot 1.0.0')).toBeVisible();
  await expect(tray.getByRole('status').getByText('Ready')).toBeVisible();

  await page.goto(`${server.url}/drivers`);
  const row = page.getByRole('row').filter({ hasText: 'The Depot' });
  await expect(row).toContainText('1.0.0');
  await row.getByRole('button', { name: 'Verify' }).click();
  await expect(page.getByText('Its files and its signature are as they should be.')).toBeVisible();
  await row.getByRole('button', { name: 'Upgrade' }).click();
  await expect(row).toContainText('2.0.0');
  await row.getByRole('button', { name: 'More for The Depot' }).click();
  await page.getByRole('menuitem', { name: 'Back to 1.0.0' }).click();
  await expect(row).toContainText('1.0.0');
  await expect(page.getByText('1.0.0 is here')).toBeVisible();
  await row.getByRole('button', { name: 'More for The Depot' }).click();
  await page.getByRole('menuitem', { name: 'Remove' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(row).toBeHidden();

  await page.getByRole('button', { name: 'Change ours' }).click();
  await drawer.getByRole('switch', { name: 'Install without a trusted signature' }).click();
  await drawer.getByRole('button', { name: 'Save it as insecure' }).click();
  await expect(drawer).toBeHidden();
  await expect(page.getByText('Insecure: signatures are not required')).toBeVisible();
  await page.getByRole('button', { name: 'Delete ours' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(page.getByText('There is none yet.')).toBeVisible();
});
