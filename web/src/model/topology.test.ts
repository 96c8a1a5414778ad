import { describe, expect, it } from 'vitest';
import type { Kind, Resource } from '../api/queries';
import { topology } from './topology';

const ref = (kind: string, many = false) =>
  many ? { type: 'array', items: { type: 'string' }, 'x-kind': kind } : { type: 'string', 'x-kind': kind };
const kind = (name: string, spec: object, status: object = {}) =>
  ({
    name,
    plural: `${name}s`,
    spec: { type: 'object', properties: spec },
    status: { type: 'object', properties: status },
  }) as unknown as Kind;
const kinds = [
  kind('vpc', {}),
  kind('subnet', { vpc: ref('vpc') }),
  kind('group', { vpc: ref('vpc') }),
  kind('vm', { subnet: ref('subnet'), groups: ref('group', true), vpc: ref('vpc') }),
  kind('disk', {}, { vm: ref('vm') }),
];
const r = (kind: string, name: string, effective: object = {}, state = 'running', status: object = {}) =>
  ({ uid: name, kind, name, state, effective, status, connection: 'c' }) as unknown as Resource;
const net = [r('vpc', 'v'), r('subnet', 's', { vpc: 'v' }), r('group', 'g', { vpc: 'v' })];
const vm = (name: string, state = 'running') => r('vm', name, { subnet: 's', groups: ['g'], vpc: 'v' }, state);
const all = { expanded: new Set<string>(), query: '', unhealthy: false };
const edges = (t: ReturnType<typeof topology>) => t.edges.map((e) => e.id).sort();

describe('the topology', () => {
  it('follows references, in spec and status, and leaves out what a longer way says', () => {
    const got = topology(kinds, [...net, vm('a'), r('disk', 'd', {}, 'available', { vm: 'a' })], all);
    expect(edges(got)).toEqual(['group/g>vm/a', 'subnet/s>vm/a', 'vm/a>disk/d', 'vpc/v>group/g', 'vpc/v>subnet/s']);
  });

  it('shows many that are alike as one, until they are asked for', () => {
    const many = Array.from({ length: 400 }, (_, i) => vm(`vm${i}`));
    const got = topology(kinds, [...net, ...many], all);
    expect(got.nodes).toHaveLength(4);
    const group = got.nodes.find((n) => n.members.length === 400);
    expect(edges(got)).toContain(`subnet/s>${group?.id}`);
    expect(topology(kinds, [...net, ...many], { ...all, expanded: new Set([group?.id ?? '']) }).nodes).toHaveLength(
      403,
    );
  });

  it('finds by name and by health, with what is used', () => {
    const some = [...net, vm('a'), vm('b', 'failed'), r('vpc', 'other')];
    const ids = (view: Partial<typeof all>) =>
      topology(kinds, some, { ...all, ...view })
        .nodes.map((n) => n.id)
        .sort();
    expect(ids({ query: 'A' })).toEqual(['group/g', 'subnet/s', 'vm/a', 'vpc/v']);
    expect(ids({ unhealthy: true })).toEqual(['group/g', 'subnet/s', 'vm/b', 'vpc/v']);
    expect(ids({ query: 'other' })).toEqual(['vpc/other']);
  });

  it('does not hang on references that lead back', () => {
    const ring = [r('subnet', 's', { vpc: 'v' }), r('vpc', 'v')];
    const back = [kind('vpc', { subnet: ref('subnet') }), kind('subnet', { vpc: ref('vpc') })];
    ring[1] = r('vpc', 'v', { subnet: 's' });
    expect(topology(back, ring, all).nodes).toHaveLength(2);
  });
});
