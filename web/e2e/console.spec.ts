import { enter, expect, test } from './server';

test.use({ file: 'console' });
test.describe.configure({ mode: 'serial' });

test('a login needs the right token, and goes on where it ran out', async ({ page, server, context }) => {
  await page.goto(`${server.url}/resources/vpcs`);
  await page.getByRole('textbox', { name: 'Admin token' }).fill('wrong-token-of-some-length');
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByText('This is not the admin token.')).toBeVisible();
  await page.getByRole('textbox', { name: 'Admin token' }).fill(server.token);
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByRole('heading', { name: 'VPCs' })).toBeVisible();
  const cookie = (await context.cookies()).find((c) => c.name === 'mcic_session');
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict' });
  expect(await page.evaluate(() => document.cookie)).toBe('');

  await context.clearCookies();
  await page.getByRole('button', { name: 'Refresh' }).click();
  const again = page.getByRole('dialog');
  await expect(again.getByText('Your login has run out.')).toBeVisible();
  await again.getByRole('textbox').fill(server.token);
  await again.getByRole('button', { name: 'Log in' }).click();
  await expect(again).toBeHidden();
  await expect(page.getByText('There is none yet')).toBeVisible();

  await page.getByRole('button', { name: 'Language, theme and logout' }).click();
  await page.getByRole('menuitem', { name: 'Log out' }).click();
  await expect(page.getByRole('button', { name: 'Log in' })).toBeVisible();
});

test('lists are filtered by their address and changed many at a time, without a reload', async ({ page, server }) => {
  await server.network();
  await server.vms(40, 'many', 'net-sub');
  await server.call('POST', '/v1/connections/mock/vms/many-7:stop?wait=30s');
  await enter(page, server, '/resources/vms?filter=state=stopped&filter=name~many');
  const grid = page.getByRole('grid');
  await expect(grid.getByRole('link', { name: 'many-7' })).toBeVisible();
  await expect(page.getByText('1 in all')).toBeVisible();
  await page.getByRole('button', { name: 'Remove the filter state=stopped' }).click();
  await expect(page.getByText('40 in all')).toBeVisible();
  expect(page.url()).toContain('filter=name~many');
  expect(page.url()).not.toContain('stopped');

  await page.getByRole('button', { name: 'Created at' }).click();
  await page.getByRole('button', { name: 'Created at' }).click();
  expect(page.url()).toContain('sort=-createdAt');
  await page.getByRole('button', { name: 'Created at' }).click();

  await page.getByRole('checkbox', { name: 'Select all that are loaded' }).check();
  const tools = page.getByRole('toolbar');
  await expect(tools.getByText('40 selected')).toBeVisible();
  await tools.getByRole('button', { name: 'Stop' }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByText('Left alone, because of their state or cloud: 1')).toBeVisible();
  await dialog.getByRole('button', { name: 'Stop (39)' }).click();
  await expect(dialog).toBeHidden();
  await expect(grid.getByRole('row').filter({ hasText: 'running' })).toHaveCount(0);

  await page.getByRole('checkbox', { name: 'Select all that are loaded' }).check();
  await tools.getByRole('button', { name: 'Delete' }).click();
  await dialog.getByRole('button', { name: 'Delete (40)' }).click();
  await expect(page.getByText('Nothing fits the filters.')).toBeVisible();
});

test('what is refused says why, at its place', async ({ page, server }) => {
  await enter(page, server, '/resources/vpcs?create=true&connection=mock');
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox', { name: 'Name', exact: true }).fill('net');
  await dialog.getByRole('textbox', { name: 'CIDR' }).fill('10.9.0.0/16');
  await dialog.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(dialog.getByRole('alert')).toContainText('Not possible now');
  await page.goto(`${server.url}/resources/vpcs/mock/nothing`);
  await expect(page.getByRole('alert')).toContainText('Not found');
});

test('what is only written is typed unseen', async ({ page, server }) => {
  await enter(page, server, '/resources/vms?create=true&connection=mock');
  const dialog = page.getByRole('dialog');
  await dialog
    .getByRole('button', { name: /^More options/ })
    .first()
    .click();
  const password = dialog.getByLabel('Admin password', { exact: true });
  await password.fill('Only-written-1');
  await expect(password).toHaveAttribute('type', 'password');
  await expect(password).toHaveAttribute('autocomplete', 'new-password');
});

test('what fails shows its cause', async ({ page, server }) => {
  const bad = { name: 'bad', cloud: 'mock', region: 'mock-seoul', settings: { failCreate: '1' } };
  await server.call('POST', '/v1/connections', bad);
  await enter(page, server, '/resources/vpcs?connection=bad');
  await server.call('POST', '/v1/connections/bad/vpcs', { name: 'never', spec: { cidr: '10.0.0.0/16' } });
  const row = page.getByRole('row').filter({ hasText: 'failed' });
  await row.getByRole('link', { name: 'never' }).click();
  await expect(page.getByRole('alert')).toContainText('It failed');
  await page.getByRole('tab', { name: 'Operations' }).click();
  await expect(page.getByText('Cloud code').first()).toBeVisible();
  await expect(page.getByRole('button', { name: 'Try again' }).first()).toBeVisible();
});

test('the palette begins any action', async ({ page, server }) => {
  const spec = { cidr: '10.3.0.0/16' };
  await server.call('POST', '/v1/connections/mock/vpcs?wait=30s', { name: 'brief', spec });
  await enter(page, server);
  const run = async (text: string, action: string) => {
    await page.keyboard.press('Control+k');
    await page.getByRole('textbox', { name: 'Go to a resource' }).fill(text);
    await expect(page.getByText(action, { exact: true })).toBeVisible();
    await page.keyboard.press('Enter');
    await expect(page.getByRole('textbox', { name: 'Go to a resource' })).toBeHidden();
  };
  const dialog = page.getByRole('dialog');
  await run('edit brief', 'Edit labels · brief');
  await expect(dialog.getByRole('button', { name: 'Edit labels' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  await run('delete brief', 'Delete · brief');
  await dialog.getByRole('button', { name: 'Delete (1)' }).click();
  await page.goto(`${server.url}/resources/vpcs?q=brief`);
  await expect(page.getByText('Nothing fits the filters.')).toBeVisible();
});

test('text of others is shown as text', async ({ page, server }) => {
  const markup = '<img src=x onerror=alert(1)>';
  await server.call('POST', '/v1/connections/mock/vpcs?wait=30s', {
    name: 'marked',
    labels: { note: markup },
    spec: { cidr: '10.8.0.0/16' },
  });
  await enter(page, server, '/resources/vpcs/mock/marked');
  await expect(page.getByText(`note=${markup}`)).toBeVisible();
  await expect(page.locator('img[src=x]')).toHaveCount(0);
});

test('a restart of the server in the middle heals by itself', async ({ page, server }) => {
  await enter(page, server, '/resources/vpcs');
  await expect(page.getByRole('link', { name: 'marked' })).toBeVisible();
  await server.stop();
  await expect(page.getByRole('status').filter({ hasText: 'Offline' })).toBeVisible();
  await server.restart();
  await expect(page.getByRole('status').filter({ hasText: 'Offline' })).toBeHidden({ timeout: 30_000 });
  await server.call('POST', '/v1/connections/mock/vpcs?wait=30s', { name: 'later', spec: { cidr: '10.7.0.0/16' } });
  await expect(page.getByRole('link', { name: 'later' })).toBeVisible();
});

test('what exists only on the cloud is adopted', async ({ page, server }) => {
  await server.call('POST', '/v1/connections/mock/vpcs/later:release');
  await enter(page, server, '/connections/mock');
  await page.getByText('Only on the cloud', { exact: true }).first().click();
  const row = page.getByRole('row').filter({ hasText: 'later' });
  await row.getByRole('checkbox').check();
  await page.getByRole('button', { name: 'Adopt 1' }).click();
  await expect(row).toBeHidden();
  await page.goto(`${server.url}/resources/vpcs/mock/later`);
  await expect(page.getByText('available').first()).toBeVisible();
});

test('a cloud is connected step by step, and everything is reached from the keyboard', async ({ page, server }) => {
  await enter(page, server);
  await page.keyboard.press('Control+k');
  await page.getByRole('textbox', { name: 'Go to a resource' }).fill('connect a');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: /^Mock cloud/ }).click();
  await page.getByRole('textbox', { name: 'Password' }).fill('wrong');
  await page.getByRole('button', { name: 'Save and go on' }).click();
  await expect(page.getByText('The cloud did not tell its regions')).toBeVisible();
  await expect(page.getByRole('alert').filter({ hasText: 'password is wrong' })).toBeVisible();
  await page.getByRole('button', { name: /Credential/ }).click();
  await page.getByRole('textbox', { name: 'Name of the credential' }).fill('good');
  await page.getByRole('textbox', { name: 'Password' }).fill('right');
  await page.getByRole('button', { name: 'Save and go on' }).click();
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('second');
  await page.getByRole('combobox', { name: 'Region' }).click();
  await page.getByRole('option').first().click();
  await page.getByRole('button', { name: 'Test and connect' }).click();
  await expect(page.getByRole('heading', { name: 'second' })).toBeVisible();
});

test('what takes several steps says what is waited for', async ({ page, server }) => {
  const region = 'mock-tokyo';
  const slow = { parts: 'true', latency: '1m' };
  await server.call('POST', '/v1/connections', { name: 'quick', cloud: 'mock', region });
  await server.call('POST', '/v1/connections', { name: 'parts', cloud: 'mock', region, settings: slow });
  const quick = '/v1/connections/quick';
  const at = '/v1/connections/parts';
  await server.call('POST', `${quick}/vpcs?wait=30s`, { name: 'v', spec: { cidr: '10.0.0.0/16' } });
  await server.call('POST', `${quick}/subnets?wait=30s`, { name: 's', spec: { vpc: 'v', cidr: '10.0.1.0/24' } });
  const { cloudId } = (await server.call('GET', `${quick}/vpcs/v`)) as { cloudId: string };
  await server.call('POST', `${at}/vpcs:adopt`, { cloudId, name: 'v' });
  const specs = (await server.call('GET', '/v1/catalog/specs?connection=parts')) as { items: { name: string }[] };
  const nodeGroups = [{ name: 'first', spec: specs.items[0]?.name }];
  await server.call('POST', `${at}/clusters`, { name: 'k', spec: { vpc: 'v', subnets: ['s'], nodeGroups } });
  const newest = async () => {
    const list = (await server.call('GET', '/v1/operations?pageSize=1')) as { items: { pending?: string }[] };
    return list.items[0]?.pending ?? '';
  };
  await expect.poll(newest, { timeout: 30_000 }).toContain('its node group first follows');
  await enter(page, server, '/operations');
  await expect(page.getByRole('grid').getByText('its node group first follows')).toBeVisible();
  await page.goto(`${server.url}/resources/clusters/parts/k`);
  await page.getByRole('tab', { name: 'Operations' }).click();
  await expect(page.getByText('Waiting: the cluster k is creating; its node group first follows')).toBeVisible();
});
