import { describe, expect, it } from 'vitest';
import { allowed, everything, type Right } from './rights';

const groups = { resource: ['vm', 'vpc', 'cluster'], catalog: ['image'] };
const right = (verbs: string, kinds: string, more: Partial<Right> = {}): Right => ({
  verbs: verbs.split(' '),
  kinds: kinds.split(' '),
  ...more,
});
const may = (r: Right, verb: string, kind: string, connection?: string, labels?: Record<string, string>) =>
  allowed([r], groups, verb, kind, connection, labels);

describe('what one may do', () => {
  it('is what some rule has, and nothing without one', () => {
    expect(allowed([], groups, 'read', 'vm')).toBe(false);
    expect(allowed([right('read', 'vpc'), right('read', 'vm')], groups, 'read', 'vm')).toBe(true);
    expect(may(right('read', 'vm'), 'delete', 'vm')).toBe(false);
  });

  it('is said by words that stand for several', () => {
    expect(may(right('*', '*'), 'manage', 'person', everything)).toBe(true);
    expect(may(right('read', 'resource'), 'read', 'cluster')).toBe(true);
    expect(may(right('read', 'resource'), 'read', 'image')).toBe(false);
    expect(may(right('read', 'catalog'), 'read', 'image')).toBe(true);
    expect(may(right('read', 'resource'), 'read', 'resource')).toBe(true);
    expect(may(right('read', 'vm'), 'read', 'resource')).toBe(false);
    for (const verb of ['start', 'create', 'delete', 'update'])
      expect(may(right('change', 'vm'), verb, 'vm')).toBe(true);
    for (const verb of ['read', 'login', 'kubeconfig', 'manage'])
      expect(may(right('change', '*'), verb, 'vm'), verb).toBe(false);
  });

  it('is looked at in a connection, anywhere or everywhere', () => {
    const r = right('read', 'vm', { connections: ['aws-*,mock', '*-1,mock'] });
    expect(may(r, 'read', 'vm')).toBe(true);
    for (const connection of ['aws-1', 'mock']) expect(may(r, 'read', 'vm', connection), connection).toBe(true);
    for (const connection of ['aws-2', 'gcp-1', 'xaws-1', 'mock2', everything])
      expect(may(r, 'read', 'vm', connection), connection).toBe(false);
    expect(may(right('read', 'vm', { connections: ['a.b'] }), 'read', 'vm', 'axb')).toBe(false);
    expect(may(right('read', 'vm'), 'read', 'vm', everything)).toBe(true);
  });

  it('depends on labels where those are known', () => {
    const r = right('delete', 'vm', { labels: ['team=a', 'env!=prod'] });
    expect(may(r, 'delete', 'vm', 'mock')).toBe(true);
    expect(may(r, 'delete', 'vm', everything)).toBe(false);
    expect(may(r, 'delete', 'vm', undefined, { team: 'a' })).toBe(true);
    expect(may(r, 'delete', 'vm', undefined, { team: 'a', env: 'prod' })).toBe(false);
    expect(may(r, 'delete', 'vm', undefined, {})).toBe(false);
  });
});
