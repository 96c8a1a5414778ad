import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { enter, expect, Server, test } from '../e2e/server';

// Figures of the console for docs/performance.md, in Chromium beside the server.

const rounds = 7;

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const say = (what: string, value: string) => console.log(`| ${what} | ${value} |`);

/** click presses a link of the loaded console, and answers after how many ms the first row is there. */
function click(page: Page, href: string): Promise<number> {
  return page.evaluate(
    (to) =>
      new Promise<number>((resolve) => {
        const link = document.querySelector<HTMLElement>(`nav a[href="${to}"]`);
        const began = performance.now();
        const look = () => {
          if (document.querySelector('[role=gridcell]')) resolve(performance.now() - began);
          else requestAnimationFrame(look);
        };
        link?.click();
        look();
      }),
    href,
  );
}

for (const count of [10_000, 100_000]) {
  test(`${count} VMs`, async ({ page }) => {
    const server = new Server('figures');
    rmSync(server.data, { recursive: true });
    execFileSync('go', ['run', './test/bench', '-inventory', String(count), '-fill', server.data], { cwd: '..' });
    await server.start();
    try {
      await enter(page, server, '/connections');
      const loaded: number[] = [];
      const rows: number[] = [];
      const answers: number[] = [];
      for (let i = 0; i < rounds; i++) {
        await page.goto(`${server.url}/healthz`);
        const started = Date.now();
        await page.goto(`${server.url}/resources/vms`, { waitUntil: 'commit' });
        await expect(page.getByRole('gridcell').first()).toBeVisible();
        loaded.push(Date.now() - started);

        // Once more with the console loaded, but not yet the list.
        await page.goto(`${server.url}/connections`);
        await expect(page.getByRole('cell').first()).toBeVisible();
        await expect(page.locator('nav a[href="/resources/vms"]')).toBeVisible();
        rows.push(await click(page, '/resources/vms'));
        const answer = await page.evaluate(() => {
          const list = performance.getEntriesByType('resource').find((e) => /\/v1\/vms\?/.test(e.name));
          return list?.duration ?? Number.NaN;
        });
        answers.push(answer);
      }
      say(`first rows of ${count} VMs, page load included, median of ${rounds}`, `${median(loaded)} ms`);
      say(`first rows in the loaded console, median of ${rounds}`, `${median(rows).toFixed(0)} ms`);
      say(`of that the answer of the server`, `${median(answers).toFixed(0)} ms`);
      for (const field of ['state', 'region', 'labels.env']) {
        const took: number[] = [];
        for (let i = 0; i < rounds; i++) {
          const started = performance.now();
          await server.call('GET', `/v1/vms:count?groupBy=${field}`);
          took.push(performance.now() - started);
        }
        say(`${count} VMs counted by ${field}, median of ${rounds}`, `${median(took).toFixed(0)} ms`);
      }

      // All rows are loaded by scrolling; then the whole list is scrolled through.
      await page.goto(`${server.url}/resources/vms`);
      const grid = page.getByRole('grid');
      await expect(page.getByRole('gridcell').first()).toBeVisible();
      const loading = await grid.evaluate(async (e, total) => {
        const began = performance.now();
        while (Number(e.ariaRowCount) < total) {
          e.scrollTo(0, e.scrollHeight);
          await new Promise((resolve) => requestAnimationFrame(resolve));
        }
        return performance.now() - began;
      }, count + 1); // with the head
      say(`scrolling to the end of ${count} VMs, all pages loaded`, `${(loading / 1000).toFixed(1)} s`);
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
      say(
        `scrolling ${count} loaded rows for 5 s`,
        `${fps.toFixed(0)} frames/s, p50 ${at(0.5).toFixed(1)} ms, p99 ${at(0.99).toFixed(1)} ms`,
      );
    } finally {
      await server.remove();
    }
  });
}
