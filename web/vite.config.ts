import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// The server puts another nonce in place of this mark into each answer.
const nonceMark = 'CSP_NONCE';

export default defineConfig({
  plugins: [react()],
  html: { cspNonce: nonceMark },
  build: { outDir: '../internal/console/dist', emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0 },
  // For work on the console alone: npm run dev, beside a server at its default address.
  server: { proxy: { '/v1': 'http://127.0.0.1:1024' } },
});
