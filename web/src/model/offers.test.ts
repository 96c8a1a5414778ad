import { describe, expect, it } from 'vitest';
import { offered } from './offers';

describe('what is offered', () => {
  const offer = { verbs: ['list', 'delete'], actions: ['label'], views: ['console'] };

  it('is what the driver has', () => {
    expect(['delete', 'label', 'console', 'create'].map((what) => offered(offer, what))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(offered(undefined, 'delete')).toBe(false);
  });

  it('is to release what the cloud has, also without a driver', () => {
    expect([offer, undefined].map((o) => offered(o, 'release'))).toEqual([true, true]);
    expect(offered({ ...offer, kept: true }, 'release')).toBe(false);
  });
});
