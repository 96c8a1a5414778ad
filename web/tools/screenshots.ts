import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import UPNG from 'upng-js';
import { enter, expect, type Server, test } from '../e2e/server';

// Pictures of the main pages in both themes, for the documents.

test.use({ file: 'screenshots' });

const folder = '../docs/images';
const largest = 120_000; // bytes of a picture
const colors = 64;

/** something is what the pages show: two regions with what people have there. */
async function something(server: Server) {
  const call = server.call.bind(server);
  await call('POST', '/v1/connections', { name: 'tokyo', cloud: 'mock', region: 'mock-tokyo' });
  await server.network('shop', 'shop-web');
  const at = '/v1/connections/mock';
  const group = {
    vpc: 'shop',
    rules: [{ direction: 'in', protocol: 'tcp', fromPort: 443, toPort: 443, cidr: '0.0.0.0/0' }],
  };
  await call('POST', `${at}/securitygroups?wait=30s`, { name: 'https', spec: group });
  await call('POST', `${at}/keypairs?wait=30s`, { name: 'ops', spec: {} });
  await server.vms(14, 'web', 'shop-web', {
    labels: { env: 'prod' },
    spec: { securitygroups: ['https'], keypair: 'ops' },
  });
  await server.vms(4, 'batch', 'shop-web', { labels: { env: 'dev' }, spec: { keypair: 'ops' } });
  for (const n of [2, 3]) await call('POST', `${at}/vms/batch-${n}:stop?wait=30s`);
  for (const n of [1, 2]) await call('POST', `${at}/disks?wait=30s`, { name: `data-${n}`, spec: { sizeGiB: 100 } });
  await call('POST', `${at}/disks/data-1:attach?wait=30s`, { vm: 'web-1' });
  await call('POST', `${at}/publicips?wait=30s`, { name: 'front', spec: {} });
  await call('POST', '/v1/connections/tokyo/vpcs?wait=30s', { name: 'backup', spec: { cidr: '10.9.0.0/16' } });
}

const pages: [name: string, path: string, ready: string | RegExp][] = [
  ['overview', '/', 'Where things run'],
  ['vms', '/resources/vms?group=labels.env', 'web-1'],
  ['vm', '/resources/vms/mock/web-1', 'Used by'],
  ['create', '/resources/vms?create=true&connection=mock', 'The cloud and region that it is created in.'],
  ['topology', '/topology?connection=mock', 'shop-web'],
  ['operations', '/operations', 'batch-2'],
  ['setup', '/setup', 'Mock cloud'],
  ['drivers', '/drivers', 'Repositories'],
  ['compare', '/compare?', 'An hour'],
];

test.beforeAll(({ server }) => something(server));

for (const scheme of ['light', 'dark'] as const) {
  test(`pictures, ${scheme}`, async ({ page, server }) => {
    mkdirSync(folder, { recursive: true });
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await page.addInitScript(() => localStorage.setItem('mcic-tour-seen', 'true'));
    await enter(page, server);
    for (const [name, path, ready] of pages) {
      await page.goto(server.url + path);
      await expect(page.getByText(ready).first()).toBeVisible();
      await expect(page.locator('[aria-busy=true]')).toHaveCount(0);
      await page.evaluate(() => document.fonts.ready);
      const shot = await page.screenshot({ animations: 'disabled', caret: 'hide' });
      const image = UPNG.decode(new Uint8Array(shot).buffer);
      const small = Buffer.from(UPNG.encode(UPNG.toRGBA8(image), image.width, image.height, colors));
      expect(small.length, name).toBeLessThan(largest);
      writeFileSync(join(folder, `${name}-${scheme}.png`), small);
    }
  });
}
