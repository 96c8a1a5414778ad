import { describe, expect, it } from 'vitest';
import { cancelling } from './cancel';

describe('what can be cancelled', () => {
  it('is what the cloud has not accepted, and what a creation makes', () => {
    expect(cancelling({ state: 'queued', verb: 'stop' })).toBe('now');
    expect(cancelling({ state: 'queued', verb: 'create' })).toBe('now');
    expect(cancelling({ state: 'running', verb: 'create', pending: 'the node group a follows' })).toBe('parts');
    expect(cancelling({ state: 'running', verb: 'create' })).toBe('end');
    const items = { total: 2, ended: 0, failed: 0 };
    expect(cancelling({ state: 'running', verb: 'delete', items })).toBe('now');
  });

  it('is nothing else', () => {
    for (const verb of ['delete', 'stop', 'addnodegroup'])
      expect(cancelling({ state: 'running', verb })).toBeUndefined();
    expect(cancelling({ state: 'running', verb: 'delete', pending: 'the node groups are going' })).toBeUndefined();
    for (const state of ['succeeded', 'failed', 'cancelled'] as const)
      expect(cancelling({ state, verb: 'create' })).toBeUndefined();
    expect(cancelling({ state: 'running', verb: 'create', cancelling: true })).toBeUndefined();
  });
});
