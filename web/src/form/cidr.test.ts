import { expect, it } from 'vitest';
import { addresses } from './cidr';

it('a range of addresses has a size', () => {
  expect(addresses('10.0.0.0/16')).toBe(65536);
  expect(addresses(' 10.0.0.1/32 ')).toBe(1);
  for (const wrong of ['', '10.0.0.0', '10.0.0.0/33', '300.0.0.0/8', '10.0.0/8'])
    expect(addresses(wrong), wrong).toBeUndefined();
});
