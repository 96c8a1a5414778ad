import { defineConfig } from '@playwright/test';
import tests from './playwright.config';

/** What is made and measured in a browser, beside the tests. */
export default defineConfig({
  ...tests,
  testDir: 'tools',
  testMatch: '*.ts',
  timeout: 1_200_000,
  use: { ...tests.use, viewport: { width: 1280, height: 800 }, trace: 'off', screenshot: 'off' },
});
