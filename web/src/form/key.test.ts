import { describe, expect, it } from 'vitest';
import { makeKey } from './key';

describe('the key of a form', () => {
  it('is the same for the same, and another for what was changed', () => {
    const key = makeKey();
    const first = key({ name: 'a' });
    expect(first).not.toBe('');
    expect(key({ name: 'a' })).toBe(first);
    expect(key({ name: 'b' })).not.toBe(first);
    expect(makeKey()({ name: 'a' })).not.toBe(first);
  });

  it('is renewed for what is done once more', () => {
    const key = makeKey();
    const first = key(undefined);
    expect(key(undefined)).toBe(first);
    key.renew();
    expect(key(undefined)).not.toBe(first);
  });
});
