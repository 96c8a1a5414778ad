import type { Route } from '@playwright/test';
import { enter, expect, test } from './server';

test.use({ file: 'explore' });
test.describe.configure({ mode: 'serial' });

test('what is new here is shown around, and the keys are told', async ({ page, server }) => {
  await enter(page, server);
  await page.getByRole('button', { name: 'Show me around' }).click();
  const tour = page.getByRole('dialog', { name: 'New here?' });
  await expect(tour).toContainText('1 of 7');
  await tour.getByRole('button', { name: 'Next' }).click();
  await expect(page.getByRole('heading', { name: 'Connections', level: 1 })).toBeVisible();
  await tour.getByRole('button', { name: 'End the tour' }).click();
  await expect(tour).toBeHidden();
  await page.keyboard.press('Shift+?');
  await expect(page.getByRole('dialog').getByText('Create one of what is shown')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toBeHidden();
  await page.keyboard.press('o');
  await expect(page.getByText('Where things run')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Show me around' })).toHaveCount(0);
  await page.keyboard.press('v');
  await expect(page.getByRole('heading', { name: 'VMs', level: 1 })).toBeVisible();
  await page.keyboard.press('/');
  await expect(page.getByRole('textbox', { name: 'Name, ID, label or address' })).toBeFocused();
});

test('lists are searched, grouped with counts, and kept as views', async ({ page, server }) => {
  await server.call('POST', '/v1/connections', { name: 'far', cloud: 'mock', region: 'mock-tokyo' });
  for (const [connection, name, env] of [
    ['mock', 'one', 'dev'],
    ['mock', 'two', 'prod'],
    ['far', 'three', 'prod'],
  ]) {
    const vpc = { name, labels: { env }, spec: { cidr: '10.0.0.0/16' } };
    await server.call('POST', `/v1/connections/${connection}/vpcs?wait=30s`, vpc);
  }
  await enter(page, server, '/resources/vpcs');
  const grid = page.getByRole('grid');
  await page.getByRole('combobox', { name: 'Group by' }).click();
  await page.getByRole('option', { name: 'Region' }).click();
  const groups = page.getByRole('navigation', { name: 'Group by' });
  await expect(groups.getByRole('button', { name: 'mock-seoul 2' })).toBeVisible();
  await groups.getByRole('button', { name: 'mock-tokyo 1' }).click();
  await expect(grid.getByRole('link')).toHaveText(['three']);
  await groups.getByRole('button', { name: 'All 3' }).click();
  await expect(grid.getByRole('link')).toHaveCount(3);

  await page.getByRole('textbox', { name: 'Name, ID, label or address' }).fill('env=prod');
  await expect(grid.getByRole('link')).toHaveText(['three', 'two']);
  await expect(groups.getByRole('button', { name: 'mock-seoul 1' })).toBeVisible();
  expect(page.url()).toContain('q=env');
  // What is created meanwhile is counted and shown if it fits, without a reload.
  await server.call('POST', '/v1/connections/mock/vpcs?wait=30s', {
    name: 'zero',
    labels: { env: 'prod' },
    spec: { cidr: '10.1.0.0/16' },
  });
  await expect(grid.getByRole('link')).toHaveText(['three', 'two', 'zero']);
  await expect(groups.getByRole('button', { name: 'mock-seoul 2' })).toBeVisible();

  await page.getByRole('button', { name: 'Saved views' }).click();
  await page.getByRole('textbox', { name: 'Name of this view' }).fill('in production');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.goto(`${server.url}/resources/vpcs`);
  await expect(grid.getByRole('link')).toHaveCount(4);
  await page.getByRole('button', { name: 'Saved views' }).click();
  await page.getByRole('menuitem', { name: 'in production' }).click();
  await expect(grid.getByRole('link')).toHaveText(['three', 'two', 'zero']);
  await expect(groups).toBeVisible();
});

test('machines of several clouds are compared with their prices', async ({ page, server }) => {
  await enter(page, server, '/compare');
  const grid = page.getByRole('grid');
  await expect(grid.getByRole('row').nth(1)).toContainText('$');
  await page.getByRole('textbox', { name: 'vCPUs at least' }).fill('8');
  await page.getByRole('textbox', { name: 'GPUs at least' }).fill('1');
  const first = (cell: number) => grid.getByRole('row').nth(1).getByRole('gridcell').nth(cell);
  await expect.poll(async () => Number(await first(5).textContent())).toBeGreaterThanOrEqual(8);
  await expect.poll(async () => Number(await first(7).textContent())).toBeGreaterThanOrEqual(1);
  await expect(grid.getByRole('row').filter({ hasText: 'far' }).first()).toBeVisible();
  await grid.getByRole('checkbox').nth(1).check();
  await grid.getByRole('checkbox').nth(2).check();
  await page.getByRole('button', { name: 'Side by side (2)' }).click();
  await expect(page.getByRole('dialog').getByText('lowest').first()).toBeVisible();
});

test('what only one cloud has is run from its schema, and its own API is called', async ({ page, server }) => {
  await enter(page, server, '/connections/mock?tab=extensions');
  await page.getByRole('button', { name: /^Echo/ }).click();
  await page.getByRole('textbox', { name: 'Text' }).fill('hello there');
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const answer = page.getByRole('region', { name: 'Answer', exact: true });
  await expect(answer).toContainText('hello there');
  await page.getByRole('button', { name: /^The cloud's own API/ }).click();
  await page.getByRole('textbox', { name: 'Service' }).fill('mock');
  await page.getByRole('textbox', { name: 'Path' }).fill('/vpcs');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(page.getByText('The cloud answered 200')).toBeVisible();
  await expect(answer.last()).toContainText('10.0.0.0/16');
});

test('each kind of trouble has its look', async ({ page, server }) => {
  await enter(page, server);
  const list = '**/v1/subnets?*';
  for (const [status, code, title, next] of [
    [401, 'unauthenticated', 'The cloud does not accept the credential', 'Check the credential'],
    [403, 'denied', 'Not allowed', 'Ask for the permission'],
    [409, 'conflict', 'Not possible now', 'Look at how it is now'],
    [422, 'invalid', 'Something in the request is wrong', 'shown at the fields'],
    [500, 'internal', 'The server or the cloud could not do it', 'log of the server'],
  ] as const) {
    const problem = { type: 'about:blank', title: 'x', status, code, detail: `as said ${status}`, retryable: false };
    await page.route(list, (route) =>
      route.fulfill({ status, contentType: 'application/problem+json', body: JSON.stringify(problem) }),
    );
    await page.goto(`${server.url}/resources/subnets`);
    const alert = page.getByRole('alert');
    await expect(alert).toContainText(title);
    await expect(alert).toContainText(next);
    await expect(alert).toContainText(`as said ${status}`);
    await page.unroute(list);
    await alert.getByRole('button', { name: 'Try again' }).click();
    await expect(page.getByText('There is none yet (Subnet)')).toBeVisible();
  }
  // A server that needs five seconds is said to be slow, and is waited for.
  await page.route(list, async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 6000));
    await route.continue();
  });
  await page.goto(`${server.url}/resources/subnets`);
  const slow = page.getByRole('status').filter({ hasText: 'Slow' });
  await expect(slow).toBeVisible();
  await expect(page.getByText('There is none yet (Subnet)')).toBeVisible();
  await expect(slow).toBeHidden();
});

test('what is sent twice is created once', async ({ page, server }) => {
  const keys: (string | undefined)[] = [];
  page.on('request', (r) => {
    if (r.method() === 'POST' && r.url().endsWith('/connections/mock/vpcs')) keys.push(r.headers()['idempotency-key']);
  });
  await enter(page, server, '/resources/vpcs?connection=mock&create=true');
  const dialog = page.getByRole('dialog');
  const fill = async (name: string) => {
    await dialog.getByRole('textbox', { name: 'Name', exact: true }).fill(name);
    await dialog.getByRole('textbox', { name: 'CIDR' }).fill('10.5.0.0/16');
  };
  const operations = async (name: string) =>
    ((await server.call('GET', `/v1/operations?filter=name=${name}`)) as { items: unknown[] }).items.length;
  await fill('double');
  await dialog.getByRole('button', { name: 'Create', exact: true }).dblclick();
  await expect(page.getByRole('row').filter({ hasText: 'double' })).toContainText('available');
  expect(await operations('double')).toBe(1);

  // The answer is lost on its way; the same form is sent again.
  await page.goto(`${server.url}/resources/vpcs?connection=mock&create=true`);
  await fill('lost');
  keys.length = 0;
  const lose = async (route: Route) => {
    await route.fetch();
    await route.abort();
  };
  await page.route('**/v1/connections/mock/vpcs', lose, { times: 1 });
  await dialog.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(dialog.getByRole('alert')).toContainText('The server cannot be reached');
  await dialog.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(dialog).toBeHidden();
  expect(keys).toHaveLength(2);
  expect(keys[0]).toBeTruthy();
  expect(keys[1]).toBe(keys[0]);
  expect(await operations('lost')).toBe(1);
});

test('a set-up that is sent twice is done once, and a deletion too', async ({ page, server }) => {
  const keys: (string | undefined)[] = [];
  page.on('request', (r) => {
    if (r.method() !== 'GET' && !r.url().includes('/catalog/')) keys.push(r.headers()['idempotency-key']);
  });
  // The answer to the next request is lost on its way.
  const lose = (path: string) =>
    page.route(
      path,
      async (route) => {
        await route.fetch();
        await route.abort();
      },
      { times: 1 },
    );
  const twice = () => {
    const [first, second] = keys.splice(0).slice(-2);
    expect(first).toBeTruthy();
    expect(second).toBe(first);
  };
  await enter(page, server, '/setup');
  await page.getByRole('button', { name: /^Mock cloud/ }).click();
  await page.getByRole('textbox', { name: 'Name of the credential' }).fill('lost');
  await page.getByRole('textbox', { name: 'Password' }).fill('right');
  await lose('**/v1/credentials');
  await page.getByRole('button', { name: 'Save and go on' }).click();
  await expect(page.getByRole('alert', { name: 'The server cannot be reached' })).toBeVisible();
  await page.getByRole('button', { name: 'Save and go on' }).click();
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('lost');
  twice();
  await lose('**/v1/connections?check=true');
  await page.getByRole('combobox', { name: 'Region' }).click();
  await page.getByRole('option').first().click();
  keys.length = 0;
  await page.getByRole('button', { name: 'Test and connect' }).click();
  await expect(page.getByRole('alert', { name: 'The server cannot be reached' })).toBeVisible();
  await page.getByRole('button', { name: 'Test and connect' }).click();
  await expect(page.getByRole('heading', { name: 'lost' })).toBeVisible();
  twice();

  await page.goto(`${server.url}/connections`);
  await lose('**/v1/connections/lost');
  const remove = async () => {
    await page.getByRole('button', { name: 'Delete lost' }).first().click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await expect(page.getByRole('dialog')).toBeHidden();
  };
  await remove();
  await expect(page.getByText('Check the network').first()).toBeVisible();
  await remove();
  await expect(page.getByRole('link', { name: 'lost' })).toBeHidden();
  twice();
});

test('what matters is in view, on a small screen and on a tablet', async ({ page, server }) => {
  await page.setViewportSize({ width: 1280, height: 800 });
  await enter(page, server, '/compare');
  await expect(page.getByRole('columnheader', { name: 'A month' })).toBeInViewport({ ratio: 1 });
  await page.setViewportSize({ width: 820, height: 1180 });
  await expect(page.getByRole('columnheader', { name: 'A month' })).toBeInViewport({ ratio: 1 });
  await page.goto(`${server.url}/operations`);
  const search = await page.getByRole('textbox', { name: 'Name contains' }).boundingBox();
  expect(search?.y).toBeLessThan(160);
  await expect(page.getByRole('link', { name: 'Overview' })).not.toBeInViewport();
  await page.getByRole('button', { name: 'Menu' }).click();
  await page.getByRole('link', { name: 'Drivers' }).click();
  const version = page
    .getByRole('row', { name: /Mock cloud/ })
    .locator('.mantine-Badge-label')
    .first();
  await expect(version).toBeVisible();
  expect(await version.evaluate((e) => e.scrollWidth <= e.clientWidth)).toBe(true);
});
