import { createHmac } from 'node:crypto';
import type { Browser, Page } from '@playwright/test';
import en from '../src/i18n/en.json' with { type: 'json' };
import ko from '../src/i18n/ko.json' with { type: 'json' };
import koWords from '../src/i18n/ko-words.json' with { type: 'json' };
import { commonKinds, commonVerbs } from '../src/model/rights';
import { byPassword, byToken, enter, expect, type Server, speaking, test } from './server';

test.use({ file: 'people' });
test.describe.configure({ mode: 'serial' });

const good = 'tr4ns-Siberian-42';

test.beforeAll(async ({ server }) => {
  await server.call('POST', '/v1/connections', { name: 'tokyo', cloud: 'mock', region: 'mock-tokyo' });
  await server.network('shared', 'shared-sub');
});

/** stranger is the browser of somebody else. */
async function stranger(browser: Browser, language: 'en' | 'ko'): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await speaking(page, language);
  return page;
}

/** ask sends a request as a program does, and answers its status. */
async function ask(server: Server, token: string, method: string, path: string, body?: unknown): Promise<number> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  return (
    await fetch(server.url + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) })
  ).status;
}

async function pick(page: Page, field: string, option: string | RegExp) {
  await page.getByRole('dialog').getByRole('combobox', { name: field, exact: true }).first().click();
  await page
    .getByRole('option', { name: option, exact: typeof option === 'string' })
    .first()
    .click();
  await page.keyboard.press('Tab');
}

for (const { language, texts, words } of [
  {
    language: 'en' as const,
    texts: en,
    words: {
      name: 'Name',
      user: 'User',
      role: 'Role',
      token: 'Token',
      connections: 'Connections',
      link: 'Link',
      vpcs: 'VPCs',
    },
  },
  {
    language: 'ko' as const,
    texts: ko,
    words: { ...koWords.field, vpcs: koWords.kind.vpc },
  },
]) {
  test(`somebody is invited, sees what was granted, and has a token revoked, in ${language}`, async ({
    page,
    server,
    browser,
  }) => {
    const anna = `anna-${language}`;
    await enter(page, server, '/people', language);
    const dialog = page.getByRole('dialog');

    await page.getByRole('button', { name: texts.people.addUser }).click();
    await dialog.getByRole('textbox', { name: words.name, exact: true }).fill(anna);
    await dialog.getByRole('button', { name: texts.resource.create, exact: true }).click();
    const row = page.getByRole('row').filter({ hasText: anna });
    await expect(row.getByText(texts.people.noPassword)).toBeVisible();

    await page.getByRole('tab', { name: texts.people.grants }).click();
    await page.getByRole('button', { name: texts.people.addGrant }).click();
    await pick(page, words.user, anna);
    await pick(page, words.role, 'viewer');
    await dialog.getByRole('combobox', { name: words.connections, exact: true }).fill('mock');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab'); // what else there is lies over the button until then
    await dialog.getByRole('button', { name: texts.people.addGrant, exact: true }).click();
    await expect(page.getByRole('row').filter({ hasText: anna })).toContainText('mock');

    await page.getByRole('tab', { name: texts.people.users }).click();
    await page.getByRole('button', { name: texts.people.invite.replace('{{name}}', anna) }).click();
    const link = await dialog.getByRole('textbox', { name: words.link }).inputValue();
    expect(link).toMatch(/\/invite#\w+$/);

    const theirs = await stranger(browser, language);
    await theirs.goto(link);
    const password = theirs.getByLabel(texts.password.new);
    await password.fill('short');
    await expect(theirs.getByRole('button', { name: texts.invite.choose })).toBeDisabled();
    await expect(theirs.getByRole('listitem').first()).toContainText(texts.password.lacking);
    await password.fill('password1234');
    await expect(theirs.getByRole('listitem').first()).toContainText(texts.password.kept);
    await theirs.getByRole('button', { name: texts.invite.choose }).click();
    await expect(theirs.getByText(texts.password.refused)).toBeVisible();
    await password.fill(good);
    await theirs.getByRole('button', { name: texts.invite.choose }).click();
    await expect(theirs.getByRole('heading', { level: 1, name: texts.nav.overview })).toBeVisible();

    // One connection, and nothing that may not be done.
    const menu = theirs.getByRole('navigation');
    await menu.getByRole('link', { name: texts.nav.connections, exact: true }).click();
    await expect(theirs.getByRole('link', { name: 'mock', exact: true })).toBeVisible();
    await expect(theirs.getByText('tokyo')).toBeHidden();
    await expect(
      theirs.getByRole('button', { name: texts.setup.deleteTitle.replace('{{name}}', 'mock') }),
    ).toBeHidden();
    await expect(menu.getByRole('link', { name: texts.people.title })).toBeHidden();
    await menu.getByRole('link', { name: words.vpcs, exact: true }).click();
    await expect(theirs.getByRole('link', { name: 'shared' })).toBeVisible();
    await expect(
      theirs.getByRole('button', { name: texts.resource.createOne.replace('{{kind}}', 'VPC') }),
    ).toBeHidden();
    await theirs.goto(`${server.url}/people`);
    await expect(theirs.getByRole('alert')).toContainText(texts.failure.denied);
    await expect(theirs.getByRole('alert')).toContainText(`${anna} may not read (person)`);

    await theirs.goto(`${server.url}/account`);
    await expect(theirs.getByText('viewer', { exact: true })).toBeVisible();
    await theirs.getByRole('button', { name: texts.tokens.create }).click();
    await theirs.getByRole('dialog').getByRole('textbox', { name: words.name, exact: true }).fill('nightly');
    await theirs.getByRole('dialog').getByRole('button', { name: texts.tokens.create }).click();
    const token = await theirs.getByRole('dialog').getByRole('textbox', { name: words.token }).inputValue();
    expect(await ask(server, token, 'GET', '/v1/connections/mock/vpcs')).toBe(200);
    expect(await ask(server, token, 'GET', '/v1/connections/tokyo/vpcs')).toBe(403);
    await theirs.keyboard.press('Escape');
    await expect(theirs.getByRole('row').filter({ hasText: 'nightly' })).toBeVisible();

    await page.keyboard.press('Escape');
    await page.getByRole('tab', { name: texts.tokens.title }).click();
    const theirToken = page.getByRole('row').filter({ hasText: anna });
    await theirToken.getByRole('button', { name: texts.setup.deleteTitle.replace('{{name}}', 'nightly') }).click();
    await dialog.getByRole('button', { name: texts.common.delete, exact: true }).click();
    await expect(theirToken).toBeHidden();
    expect(await ask(server, token, 'GET', '/v1/connections/mock/vpcs')).toBe(401);
    await theirs.context().close();
  });
}

test('a role is edited in words, and holds at once', async ({ page, server, browser }) => {
  await server.call('POST', '/v1/users', { name: 'ben', password: good });
  await server.call('POST', '/v1/roles', {
    name: 'networker',
    rules: [{ verbs: ['read'], kinds: ['resource', 'connection', 'driver'] }],
  });
  await server.call('POST', '/v1/grants', { user: 'ben', role: 'networker', connections: ['mock'] });
  const { token } = (await server.call('POST', '/v1/tokens', { user: 'ben', name: 'cli' })) as { token: string };
  const create = (name: string) =>
    ask(server, token, 'POST', '/v1/connections/mock/vpcs', { name, spec: { cidr: '10.5.0.0/16' } });
  expect(await create('early')).toBe(403);
  const theirs = await stranger(browser, 'en');
  await enter(theirs, server, '/resources/vpcs', 'en', byPassword('ben', good));
  await expect(theirs.getByRole('link', { name: 'shared' })).toBeVisible();
  await expect(theirs.getByRole('button', { name: 'Create VPC' })).toBeHidden();

  await enter(page, server, '/people?tab=roles');
  const role = page.getByRole('region', { name: 'networker' });
  await expect(role).toContainText('May see all kinds of resources, connections, and drivers.');
  await role.getByRole('button', { name: 'Change networker' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await expect(dialog.getByText('Choose what is allowed, and with what.')).toBeVisible();
  await dialog.getByRole('combobox', { name: 'Verbs', exact: true }).last().click();
  await page.getByRole('option', { name: 'Create', exact: true }).click();
  await page.keyboard.press('Tab');
  await dialog.getByRole('combobox', { name: 'Kinds', exact: true }).last().click();
  await page.getByRole('option', { name: 'VPC', exact: true }).click();
  await page.keyboard.press('Tab');
  await expect(dialog.getByText('May create VPCs.')).toBeVisible();
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(role).toContainText('May create VPCs.');
  expect(await create('late')).toBe(202);
  await theirs.reload();
  await expect(theirs.getByRole('button', { name: 'Create VPC' })).toBeVisible();
  await theirs.context().close();
});

test('rules can name what the console knows, and nothing more', async ({ server }) => {
  const kinds = (await server.call('GET', '/v1/kinds')) as { items: { name: string; actions: { name: string }[] }[] };
  const catalogs = (await server.call('GET', '/v1/catalogs')) as { items: { name: string }[] };
  const actions = kinds.items.flatMap((k) => k.actions.map((a) => a.name));
  const known = async (rule: object): Promise<string[]> => {
    const refused = await server.call('POST', '/v1/roles', { name: 'x', rules: [rule] }).catch((e: Error) => e.message);
    return (/is none of: ([^;"\\]*)/.exec(String(refused))?.[1] ?? '').split(', ').sort();
  };
  expect(await known({ verbs: ['no'], kinds: ['vm'] })).toEqual([...new Set([...commonVerbs, ...actions])].sort());
  const names = [...kinds.items, ...catalogs.items].map((k) => k.name);
  expect(await known({ verbs: ['read'], kinds: ['no'] })).toEqual([...commonKinds, ...names].sort());
});

/** codeAt is what an authenticator app shows so many steps from now (RFC 6238). */
function codeAt(secret: string, steps: number): string {
  const bits = [...secret]
    .map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0'))
    .join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const sum = createHmac('sha1', key).update(counter).digest();
  return String((sum.readUInt32BE((sum[19] ?? 0) & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

test('a second step is set up, asked for and taken away', async ({ page, server }) => {
  await server.call('POST', '/v1/users', { name: 'carl', password: good });
  await enter(page, server, '/account', 'en', byPassword('carl', good));
  await page.getByRole('textbox', { name: 'Password', exact: true }).fill(good);
  await page.getByRole('button', { name: 'Set it up' }).click();
  await expect(page.getByRole('img', { name: 'QR code' })).toBeVisible();
  const secret = (await page.getByText(/^[A-Z2-7]{32}$/).textContent()) ?? '';
  const code = page.getByRole('textbox', { name: 'Code' });
  await code.fill(` ${codeAt(secret, -1)} `);
  await page.getByRole('button', { name: 'Switch it on' }).click();
  const recovery = (await page.getByRole('textbox', { name: 'Recovery codes' }).inputValue()).split('\n');
  expect(recovery).toHaveLength(10);
  await page.getByRole('button', { name: 'I have saved it' }).click();
  await expect(page.getByRole('button', { name: 'Switch it off' })).toBeVisible();

  await page.getByRole('button', { name: 'Account, language, theme and logout' }).click();
  await page.getByRole('menuitem', { name: 'Log out' }).click();
  await byPassword('carl', good)(page, en.login);
  await expect(code).toBeFocused();
  await expect(page.getByText('This code is wrong')).toBeHidden();
  await code.fill('000000');
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByText('This code is wrong')).toBeVisible();
  await code.fill(codeAt(secret, 0));
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByRole('navigation')).toBeVisible();

  await page.goto(`${server.url}/account`);
  await page.getByRole('textbox', { name: 'Password', exact: true }).fill(good);
  await code.fill(recovery[0] ?? '');
  await page.getByRole('button', { name: 'Switch it off' }).click();
  await expect(page.getByRole('button', { name: 'Set it up' })).toBeVisible();
});

test('a password is changed, and the new one lets in', async ({ page, server }) => {
  await server.call('POST', '/v1/users', { name: 'dora', password: good });
  await enter(page, server, '/account', 'en', byPassword('dora', good));
  const change = page.getByRole('button', { name: 'Change the password' });
  await page.getByLabel('Password so far').fill('not this one');
  await page.getByLabel('New password').fill('k0mplete-Otter-19');
  await change.click();
  await expect(page.getByText('This is not your password')).toBeVisible();
  await page.getByLabel('Password so far').fill(good);
  await change.click();
  await expect(page.getByText('The password is changed.')).toBeVisible();
  await expect(page.getByRole('dialog')).toBeHidden();
  await page.reload();
  await expect(page.getByRole('heading', { name: 'Account' })).toBeVisible();
});

test('single sign-on leads back to where one was, and out of the provider', async ({ page, server }) => {
  await page.route('**/v1/session/ways', (route) =>
    route.fulfill({ json: { passwords: true, singleSignOn: { name: 'Corp', path: '/v1/session/sso' } } }),
  );
  await speaking(page, 'en');
  await page.goto(`${server.url}/resources/vms?filter=state=running`);
  await expect(page.getByRole('link', { name: 'Log in with Corp' })).toHaveAttribute(
    'href',
    '/v1/session/sso?return=%2Fresources%2Fvms%3Ffilter%3Dstate%3Drunning',
  );
  await byToken(server)(page, en.login);
  await page.route('**/v1/session', async (route) => {
    if (route.request().method() !== 'DELETE') return route.continue();
    await route.fetch();
    return route.fulfill({ json: { logoutAt: `${server.url}/?provider` } });
  });
  await page.getByRole('button', { name: 'Account, language, theme and logout' }).click();
  await page.getByRole('menuitem', { name: 'Log out' }).click();
  await page.waitForURL('**/?provider*');
  await expect(page.getByRole('link', { name: 'Log in with Corp' })).toBeVisible();
});

test('credentials and connections change in place', async ({ page, server }) => {
  const day = (from: number) => new Date(Date.now() + from * 24 * 3600_000).toISOString();
  await server.call('POST', '/v1/credentials', {
    name: 'key',
    cloud: 'mock',
    values: { account: 'shop', password: 'old' },
    expiresAt: day(3),
  });
  await server.call('POST', '/v1/connections', {
    name: 'shop',
    cloud: 'mock',
    credential: 'key',
    region: 'mock-seoul',
  });
  await enter(page, server);
  await expect(page.getByRole('alert')).toContainText('Credentials that end');
  await page.getByRole('link', { name: 'Replace their values' }).click();
  const keys = page.getByRole('table', { name: 'Credentials' });
  await expect(keys.getByRole('row').filter({ hasText: 'key' })).toContainText('soon');
  await keys.getByRole('button', { name: 'Change key' }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByRole('button', { name: 'Test and save' })).toBeDisabled();
  await dialog.getByRole('textbox', { name: 'Password' }).fill('wrong');
  await dialog.getByRole('button', { name: 'Test and save' }).click();
  await expect(dialog.getByRole('alert')).toContainText('The cloud does not accept the credential');
  await dialog.getByRole('textbox', { name: 'Password' }).fill('new');
  await dialog.getByLabel('Expires').fill('2099-02-03');
  await dialog.getByRole('button', { name: 'Test and save' }).click();
  await expect(dialog).toBeHidden();
  await expect(keys.getByRole('row').filter({ hasText: 'key' })).not.toContainText('soon');
  const saved = (await server.call('GET', '/v1/credentials/key')) as { expiresAt: string; fields: string[] };
  expect([saved.expiresAt.slice(0, 4), saved.fields]).toEqual(['2099', ['account', 'password']]);

  await page.getByRole('button', { name: 'Change shop' }).click();
  await dialog.getByRole('combobox', { name: 'Zone' }).click();
  await page.getByRole('option').first().click();
  await dialog.getByRole('button', { name: 'Test and save' }).click();
  await expect(dialog).toBeHidden();
  const shop = (await server.call('GET', '/v1/connections/shop')) as { zone?: string; credential?: string };
  expect(shop).toMatchObject({ credential: 'key', zone: expect.stringContaining('mock-seoul') });
});
