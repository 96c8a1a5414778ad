import AxeBuilder from '@axe-core/playwright';
import { enter, expect, test } from './server';

test.use({ file: 'accessibility' });
test.setTimeout(600_000);

test.beforeAll(async ({ server }) => {
  await server.network('axe');
  await server.vms(3, 'axe-vm', 'axe-sub');
});

const pages = [
  '/',
  '/resources/vms?group=region',
  '/resources/vms?create=true',
  '/resources/subnets/mock/axe-sub',
  '/operations',
  '/connections',
  '/connections/mock',
  '/connections/mock?tab=extensions',
  '/drivers',
  '/compare',
  '/setup',
  '/catalog/images',
  '/topology',
  '/people',
  '/people?tab=roles',
  '/people?tab=grants',
  '/account',
];

for (const scheme of ['light', 'dark'] as const) {
  test(`the pages are accessible, in ${scheme}`, async ({ page, server }) => {
    await page.emulateMedia({ colorScheme: scheme });
    await enter(page, server);
    for (const path of pages) {
      await page.goto(server.url + path);
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      await expect(page.locator('[aria-busy=true]')).toHaveCount(0);
      if (path.includes('create')) await expect(page.getByRole('dialog')).toBeVisible();
      const { violations } = await new AxeBuilder({ page }).analyze();
      const serious = violations.filter((v) => v.impact === 'serious' || v.impact === 'critical');
      expect(serious.map((v) => [path, v.id, v.nodes.map((n) => n.html.slice(0, 200)).slice(0, 3)])).toEqual([]);
    }
  });
}
