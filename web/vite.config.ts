import { gzipSync } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

// The server puts another nonce in place of this mark into each answer.
const nonceMark = 'CSP_NONCE';

/** What the first page may load of JavaScript, compressed. */
const firstLoadLimit = 450_000; // bytes

/** firstLoad fails the build if the first page, after a login, loads too much. */
function firstLoad(): Plugin {
  let say = (_: string) => {};
  return {
    name: 'first-load',
    configResolved: ({ logger }) => {
      say = logger.info;
    },
    generateBundle(_, bundle) {
      const counted = new Set<string>();
      const count = (name: string): number => {
        const chunk = bundle[name];
        if (counted.has(name) || chunk?.type !== 'chunk') return 0;
        counted.add(name);
        return chunk.imports.reduce((sum, i) => sum + count(i), gzipSync(chunk.code).length);
      };
      const first = Object.values(bundle).filter(
        (c) => c.type === 'chunk' && (c.isEntry || c.facadeModuleId?.endsWith('/pages/Overview.tsx')),
      );
      const size = first.reduce((sum, c) => sum + count(c.fileName), 0);
      const said = `first load: ${(size / 1000).toFixed(0)} kB of JavaScript with gzip, in ${counted.size} files`;
      if (first.length < 2 || size > firstLoadLimit) this.error(`${said}; the limit is ${firstLoadLimit / 1000} kB`);
      say(said);
    },
  };
}

export default defineConfig({
  plugins: [react(), firstLoad()],
  html: { cspNonce: nonceMark },
  build: { outDir: '../internal/console/dist', emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0 },
  // For work on the console alone: npm run dev, beside a server at its default address.
  server: { proxy: { '/v1': 'http://127.0.0.1:1024' } },
});
