import type { Page } from '@playwright/test';
import koMock from '../../drivers/mock/ko.json' with { type: 'json' };
import en from '../src/i18n/en.json' with { type: 'json' };
import ko from '../src/i18n/ko.json' with { type: 'json' };
import koWords from '../src/i18n/ko-words.json' with { type: 'json' };
import { enter, expect, test } from './server';
import { hasSshd, Sshd } from './sshd';

test.use({ file: 'journey' });

// Machines answer SSH where there is an OpenSSH server; without one the journey leaves out the terminal.
let sshd: Sshd | undefined;
let address = '';

test.beforeAll(async () => {
  if (!hasSshd) return;
  sshd = new Sshd();
  address = await sshd.start();
});

test.afterAll(() => sshd?.stop());

const creating = (texts: typeof en, kind: string) => texts.resource.createOne.replace('{{kind}}', kind);

/** pick chooses from a field's list. */
async function pick(page: Page, field: string, option: string | RegExp) {
  await page.getByRole('dialog').getByRole('combobox', { name: field, exact: true }).click();
  await page.getByRole('option', { name: option }).first().click();
  await page.keyboard.press('Tab');
}

for (const { language, texts, words } of [
  {
    language: 'en' as const,
    texts: en,
    words: {
      vpc: 'VPC',
      subnet: 'Subnet',
      group: 'Security group',
      key: 'Key pair',
      vm: 'VM',
      groups: 'Security groups',
      spec: 'Spec',
      image: 'Image',
      name: 'Name',
      running: 'running',
      available: 'available',
      start: 'Start',
      stop: 'Stop',
      stopped: 'stopped',
      delete: 'Delete',
      noRange: 'is not an IPv4 range',
    },
  },
  {
    language: 'ko' as const,
    texts: ko,
    words: {
      vpc: koWords.kind.vpc,
      subnet: koWords.kind.subnet,
      group: koWords.kind.securitygroup,
      key: koWords.kind.keypair,
      vm: koWords.kind.vm,
      groups: koWords.field.securitygroups,
      spec: koWords.field.spec,
      image: koWords.field.image,
      name: koWords.field.name,
      running: koWords.state.running,
      available: koWords.state.available,
      start: koWords.verb.start,
      stop: koWords.verb.stop,
      stopped: koWords.state.stopped,
      delete: koWords.verb.delete,
      noRange: ko.problem.format.replace('{{limit}}', '10.0.0.0/16'),
    },
  },
]) {
  test(`from a cloud to a VM and back, in ${language}`, async ({ page, server }) => {
    const id = (name: string) => `${name}-${language}`;
    const connection = id('cloud');
    await enter(page, server, '/', language);
    await expect(page.locator('html')).toHaveAttribute('lang', language);
    await expect(page.getByRole('heading', { name: texts.tour.title })).toBeVisible();
    await page.getByRole('button', { name: texts.tour.no }).click();
    await page.getByRole('link', { name: texts.nav.connections, exact: true }).click();
    await page.getByRole('link', { name: texts.setup.title }).click();
    await page.getByRole('button', { name: /^Mock/ }).click();
    await page.getByRole('button', { name: texts.setup.without }).click();
    await page.getByRole('textbox', { name: texts.setup.name, exact: true }).fill(connection);
    await page.getByRole('combobox', { name: texts.setup.region }).click();
    await page.getByRole('option', { name: /Tokyo/ }).click();
    if (sshd) {
      await page
        .getByRole('button', { name: new RegExp(texts.setup.moreSettings.replace('{{count}}', '\\d+')) })
        .click();
      await page.getByRole('textbox', { name: language === 'ko' ? koMock['SSH server'] : 'SSH server' }).fill(address);
    }
    await page.getByRole('button', { name: texts.setup.testAndCreate }).click();
    await expect(page.getByRole('heading', { name: connection })).toBeVisible();

    const dialog = page.getByRole('dialog');
    const open = async (plural: string, kind: string, name: string) => {
      await page.goto(`${server.url}/resources/${plural}?connection=${connection}`);
      await page
        .getByRole('button', { name: creating(texts, kind) })
        .first()
        .click();
      await dialog.getByRole('textbox', { name: words.name, exact: true }).fill(id(name));
    };
    const create = async (name: string, state: string) => {
      await dialog.getByRole('button', { name: texts.resource.create, exact: true }).click();
      const row = page.getByRole('row').filter({ hasText: id(name) });
      await expect(row).toContainText(state);
    };

    await open('vpcs', words.vpc, 'net');
    await dialog.getByRole('button', { name: texts.resource.create, exact: true }).click();
    await expect(dialog.getByText(texts.form.required)).toBeVisible();
    await dialog.getByRole('textbox', { name: 'CIDR' }).fill('10.0.0.0/99');
    await dialog.getByRole('button', { name: texts.resource.create, exact: true }).click();
    await expect(dialog.getByRole('alert')).toBeVisible();
    await expect(dialog.getByRole('textbox', { name: 'CIDR' })).toHaveAttribute('aria-invalid', 'true');
    await expect(dialog.getByText(words.noRange).first()).toBeVisible();
    await dialog.getByRole('textbox', { name: 'CIDR' }).fill('10.0.0.0/16');
    await create('net', words.available);

    await open('subnets', words.subnet, 'sub');
    await dialog.getByRole('textbox', { name: 'CIDR' }).fill('10.0.1.0/24');
    await pick(page, words.vpc, id('net'));
    await create('sub', words.available);

    await open('securitygroups', words.group, 'sg');
    await pick(page, words.vpc, id('net'));
    await dialog.getByRole('button', { name: texts.rules.preset.replace('{{name}}', 'SSH') }).click();
    await create('sg', words.available);

    await open('keypairs', words.key, 'key');
    await dialog.getByRole('button', { name: texts.resource.create, exact: true }).click();
    await expect(dialog.getByText(texts.secret.title)).toBeVisible();
    const download = page.waitForEvent('download');
    await dialog.getByRole('button', { name: texts.secret.save }).click();
    expect((await download).suggestedFilename()).toBe(`${id('key')}.pem`);
    await dialog.getByRole('button', { name: texts.secret.done }).click();

    await open('vms', words.vm, 'web');
    await pick(page, words.image, /ubuntu/i);
    await pick(page, words.spec, /large/);
    await pick(page, words.subnet, id('sub'));
    await pick(page, words.groups, id('sg'));
    await pick(page, words.key, id('key'));
    await create('web', words.running);

    await page.getByRole('link', { name: id('web') }).click();
    await expect(page.getByRole('link', { name: id('sub') })).toBeVisible();
    await page.goto(`${server.url}/resources/subnets/${connection}/${id('sub')}`);
    await expect(page.getByText(texts.resource.usedBy)).toBeVisible();
    await page.getByRole('link', { name: id('web') }).click();
    await page.getByRole('button', { name: words.stop, exact: true }).click();
    await dialog.getByRole('button', { name: words.stop }).click();
    await expect(page.getByText(words.stopped, { exact: true }).first()).toBeVisible();

    await page.getByRole('button', { name: words.start, exact: true }).click();
    await dialog.getByRole('button', { name: words.start }).click();
    await expect(page.getByText(words.running, { exact: true }).first()).toBeVisible();

    if (sshd) {
      const key = await server.call('GET', `/v1/connections/${connection}/keypairs/${id('key')}`);
      sshd.authorize((key as { effective: { publicKey: string } }).effective.publicKey);
      await page.getByRole('tab', { name: texts.terminal.title }).click();
      await expect(page.getByRole('textbox', { name: texts.terminal.user })).toHaveValue(sshd.user);
      await page.getByRole('button', { name: texts.terminal.connect, exact: true }).click();
      await expect(page.getByText(texts.terminal.first)).toBeVisible();
      // What is typed ahead is read by the shell as soon as it is there.
      await page.keyboard.type('echo $((6*7)) is the answer; exit 4\n');
      await expect(page.locator('.xterm-rows')).toContainText('42 is the answer');
      await expect(page.getByText(texts.terminal.ended.exit.replace('{{code}}', '4'))).toBeVisible();
    }

    await page.goto(`${server.url}/topology?connection=${connection}`);
    await expect(page.getByRole('link', { name: id('web'), exact: true })).toBeVisible();
    await page.goto(`${server.url}/resources/vms/${connection}/${id('web')}`);
    await page.getByRole('button', { name: texts.resource.more }).click();
    await page.getByRole('menuitem', { name: words.delete }).click();
    await dialog.getByRole('button', { name: words.delete }).click();
    await page.goto(`${server.url}/resources/vms?connection=${connection}`);
    await expect(page.getByText(texts.empty.none.replace('{{kind}}', words.vm))).toBeVisible();
  });
}
