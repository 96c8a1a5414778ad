import { expect, it } from 'vitest';
import { dayOf, endOf, expiry } from './expiry';

const now = Date.parse('2026-06-15T00:00:00Z');

it('what ends within two weeks is marked, and what is over', () => {
  expect(expiry(undefined, now)).toBeUndefined();
  expect(expiry('2026-06-30T00:00:00Z', now)).toBeUndefined();
  expect(expiry('2026-06-28T00:00:00Z', now)).toBe('soon');
  expect(expiry('2026-06-15T00:00:00Z', now)).toBe('over');
});

it('what lasts for a short time is marked at its end only', () => {
  expect(expiry('2026-06-15T11:00:00Z', now, '2026-06-14T23:00:00Z')).toBeUndefined();
  expect(expiry('2026-06-15T01:00:00Z', now, '2026-06-14T13:00:00Z')).toBe('soon');
  expect(expiry('2026-06-28T00:00:00Z', now, '2025-06-28T00:00:00Z')).toBe('soon');
});

it('a day that is chosen is the day that is shown', () => {
  expect(dayOf(endOf('2027-02-03'))).toBe('2027-02-03');
  expect([endOf(''), dayOf(undefined)]).toEqual([undefined, '']);
});
