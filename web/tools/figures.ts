import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { enter, expect, Server, test } from '../e2e/server';

// Figures of the console for docs/performance.md, in Chromium beside the server.

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

for (const count of [10_000, 100_000]) {
  test(`${count} VMs`, async ({ page }) => {
    const server = new Server('figures');
    rmSync(server.data, { recursive: true });
    execFileSync('go', ['run', './test/bench', '-inventory', String(count), '-fill', server.data], { cwd: '..' });
    await server.start();
    try {
      await enter(page, server, '/connections');
      const rows: number[] = [];
      for (let i = 0; i < 7; i++) {
        await page.goto(`${server.url}/healthz`);
        const started = Date.now();
        await page.goto(`${server.url}/resources/vms`, { waitUntil: 'commit' });
        await expect(page.getByRole('gridcell').first()).toBeVisible();
        rows.push(Date.now() - started);
      }
      console.log(`| first rows of ${count} VMs, page load included, median of 7 | ${median(rows)} ms |`);
      for (const field of ['state', 'region', 'labels.env']) {
        const took: number[] = [];
        for (let i = 0; i < 7; i++) {
          const started = performance.now();
          await server.call('GET', `/v1/vms:count?groupBy=${field}`);
          took.push(performance.now() - started);
        }
        console.log(`| ${count} VMs counted by ${field}, median of 7 | ${median(took).toFixed(0)} ms |`);
      }
      // All rows are loaded by scrolling; then the whole list is scrolled through.
      const grid = page.getByRole('grid');
      await page.goto(`${server.url}/resources/vms`);
      const total = count + 1; // with the head
      while (Number(await grid.getAttribute('aria-rowcount')) < total) {
        const before = Number(await grid.getAttribute('aria-rowcount'));
        await grid.evaluate((e) => e.scrollTo(0, e.scrollHeight));
        await expect.poll(async () => Number(await grid.getAttribute('aria-rowcount'))).toBeGreaterThan(before);
      }
      const frames = await grid.evaluate(async (e) => {
        e.scrollTo(0, 0);
        const took: number[] = [];
        let last = performance.now();
        const end = last + 5000;
        while (last < end) {
          const now = await new Promise<number>((resolve) => requestAnimationFrame(resolve));
          took.push(now - last);
          last = now;
          e.scrollBy(0, 120);
        }
        return took.slice(1);
      });
      frames.sort((a, b) => a - b);
      const at = (p: number) => frames[Math.floor(frames.length * p)] ?? 0;
      const fps = (1000 * frames.length) / frames.reduce((sum, f) => sum + f, 0);
      console.log(
        `| scrolling ${count} loaded rows for 5 s | ${fps.toFixed(0)} frames/s, p50 ${at(0.5).toFixed(1)} ms, p99 ${at(0.99).toFixed(1)} ms |`,
      );
    } finally {
      await server.remove();
    }
  });
}
