import { enter, expect, test } from './server';

test.use({ file: 'topology' });

test('the topology shows what rests on what, and many as one', async ({ page, server }) => {
  await server.network('top');
  await server.vms(12, 'top-vm', 'top-sub');
  await enter(page, server, '/topology?connection=mock');
  await page.getByRole('textbox', { name: 'Name contains' }).fill('top-vm');
  await expect(page.getByText('12 × VMs')).toBeVisible();
  await expect(page.getByRole('link', { name: 'top-sub', exact: true })).toBeVisible();
  await expect(page.locator('.react-flow__edge')).toHaveCount(2);
  await page.getByText('12 × VMs').click();
  await expect(page.getByRole('link', { name: 'top-vm-7', exact: true })).toBeVisible();
  await page.getByRole('checkbox', { name: 'Only what is not well' }).check();
  await expect(page.getByText('Nothing fits the filters.')).toBeVisible();
});
