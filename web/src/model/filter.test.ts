import { describe, expect, it } from 'vitest';
import { fits, formatFilter, parseFilter } from './filter';

const row = {
  name: 'Web-1',
  state: 'running',
  spec: { groups: ['g1', 'g2'], size: 3 },
  labels: { 'app.kubernetes.io/name': 'shop' },
};

describe('filters', () => {
  it('are read and written as the server does', () => {
    for (const text of ['a=b', 'a!=b', 'a~b', 'a=b=c', 'a=']) {
      const f = parseFilter(text);
      expect(f && formatFilter(f)).toBe(text);
    }
    expect(parseFilter('nothing')).toBeUndefined();
    expect(parseFilter('a!=b')).toEqual({ field: 'a', op: '!=', value: 'b' });
  });

  it('keep what fits all of them', () => {
    const yes = [
      'state=running',
      'state!=failed',
      'name~WEB',
      'spec.groups~"g2"',
      'spec.size=3',
      'labels.app.kubernetes.io/name=shop',
      'cloudId!=x',
    ];
    for (const f of yes) expect(fits(row, [f]), f).toBe(true);
    expect(fits(row, yes)).toBe(true);
    for (const f of ['state=stopped', 'state!=running', 'name~db', 'spec.size=4', 'cloudId=x']) {
      expect(fits(row, [f]), f).toBe(false);
      expect(fits(row, [...yes, f]), f).toBe(false);
    }
  });
});
