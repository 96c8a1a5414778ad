import { describe, expect, it } from 'vitest';
import { fits } from '../model/filter';
import { patch } from './live';
import type { Pages, Resource } from './queries';

const row = (uid: string, state = 'running', updatedAt = '2026-01-01T00:00:00Z') =>
  ({ uid, name: uid, kind: 'vm', connection: 'c', state, updatedAt, spec: {}, status: {} }) as unknown as Resource;
const pages = (...lists: Resource[][]): Pages<Resource> => ({
  pages: lists.map((items) => ({ items })),
  pageParams: [''],
});
const uids = (p: Pages<Resource>) => p.pages.map((page) => page.items.map((r) => r.uid));
const changes = (...rows: Resource[]) => new Map(rows.map((r) => [r.uid, r]));
const all = () => true;
const running = (r: Resource) => fits(r, ['state=running']);
const later = '2026-01-02T00:00:00Z';

describe('live lists', () => {
  const shown = pages([row('a'), row('b')], [row('c')]);

  it('change a row in place and leave the other pages as they are', () => {
    const { next, added } = patch(shown, changes(row('b', 'stopping', later)), new Set(), all);
    expect(uids(next)).toEqual([['a', 'b'], ['c']]);
    expect(next.pages[0]?.items[1]?.state).toBe('stopping');
    expect(next.pages[1]).toBe(shown.pages[1]);
    expect(added).toBe(false);
  });

  it('never go back to what was before', () => {
    const old = row('b', 'creating', '2025-01-01T00:00:00Z');
    expect(patch(shown, changes(old), new Set(), all).next).toBe(shown);
  });

  it('lose what is gone or does not fit any more', () => {
    expect(uids(patch(shown, new Map(), new Set(['c']), all).next)).toEqual([['a', 'b'], []]);
    expect(uids(patch(shown, changes(row('a', 'stopped', later)), new Set(), running).next)).toEqual([['b'], ['c']]);
  });

  it('tell of new rows only if they fit', () => {
    expect(patch(shown, changes(row('d')), new Set(), running).added).toBe(true);
    expect(patch(shown, changes(row('d', 'stopped')), new Set(), running).added).toBe(false);
  });
});
