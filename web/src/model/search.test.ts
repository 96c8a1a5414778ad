import { describe, expect, it } from 'vitest';
import { found } from './search';

const vm = {
  name: 'Web-1',
  uid: '0190',
  cloudId: 'i-77',
  labels: { env: 'prod' },
  effective: { note: 'some words. and. more', rules: [{ cidr: '10.1.0.0/16' }] },
  status: { address: 'fe80::1:2' },
};

describe('a searched list', () => {
  it('has what contains every word', () => {
    for (const q of ['', 'web', 'WEB env=prod', '10.1.', 'i-77 fe80::', ' web  0190 '])
      expect(found(vm, q), q).toBe(true);
    for (const q of ['web dev', 'words', 'env prod=', 'nothing']) expect(found(vm, q), q).toBe(false);
  });
});
