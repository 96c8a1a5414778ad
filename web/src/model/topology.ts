import type { Kind, Resource } from '../api/queries';
import { named, references } from './schema';

/** Node is one resource, or several that are used by nothing and use the same. */
export type Node = { id: string; kind: string; members: Resource[] };
/** Edge leads from what is used to what uses it. */
export type Edge = { id: string; source: string; target: string };

export type View = {
  /** Ids of groups that are shown one by one. */
  expanded: ReadonlySet<string>;
  /** Only what has this in its name, with what it uses. */
  query: string;
  /** Only what is not well, with what it uses. */
  unhealthy: boolean;
};

/** From so many on, resources that are alike are shown as one. */
export const groupFrom = 5;

const well = new Set(['available', 'running', 'stopped']);

const key = (kind: string, name: string) => `${kind}/${name}`;

/** topology is the graph of a connection's resources, as their references make it. */
export function topology(kinds: Kind[], resources: Resource[], view: View): { nodes: Node[]; edges: Edge[] } {
  const byKey = new Map(resources.map((r) => [key(r.kind, r.name), r]));
  const uses = new Map<string, string[]>();
  const used = new Set<string>();
  for (const r of resources) {
    const kind = kinds.find((k) => k.name === r.kind);
    const refs = [
      ...references(kind?.spec ?? {}).flatMap((x) => named(r.effective, x.path).map((n) => key(x.kind, n))),
      ...references(kind?.status ?? {}).flatMap((x) => named(r.status, x.path).map((n) => key(x.kind, n))),
    ];
    const known = [...new Set(refs)].filter((x) => byKey.has(x) && x !== key(r.kind, r.name));
    uses.set(key(r.kind, r.name), known);
    for (const x of known) used.add(x);
  }

  // What was asked for, and all that it rests on.
  const text = view.query.toLowerCase();
  const asked = resources.filter((r) => r.name.toLowerCase().includes(text) && (!view.unhealthy || !well.has(r.state)));
  const shown = new Set<string>();
  const visit = (id: string) => {
    if (shown.has(id)) return;
    shown.add(id);
    for (const x of uses.get(id) ?? []) visit(x);
  };
  for (const r of asked) visit(key(r.kind, r.name));

  const groups = new Map<string, Node>();
  for (const id of shown) {
    const r = byKey.get(id);
    if (!r) continue;
    const refs = uses.get(id) ?? [];
    const group = used.has(id) ? id : `${r.kind}*${[...refs].sort().join(',')}`;
    const node = groups.get(group) ?? { id: group, kind: r.kind, members: [] };
    node.members.push(r);
    groups.set(group, node);
  }
  const nodes = [...groups.values()].flatMap((g) =>
    g.members.length < groupFrom || view.expanded.has(g.id)
      ? g.members.map((r): Node => ({ id: key(r.kind, r.name), kind: r.kind, members: [r] }))
      : [g],
  );
  const place = new Map(nodes.flatMap((n) => n.members.map((r) => [key(r.kind, r.name), n.id] as const)));
  const edges = new Map<string, Edge>();
  for (const id of shown) {
    for (const x of uses.get(id) ?? []) {
      const source = place.get(x);
      const target = place.get(id);
      if (source && target) edges.set(`${source}>${target}`, { id: `${source}>${target}`, source, target });
    }
  }
  return { nodes, edges: direct([...edges.values()]) };
}

/** direct leaves out edges that a longer way says already: a VM lies in its subnet's VPC. */
function direct(edges: Edge[]): Edge[] {
  const next = new Map<string, string[]>();
  for (const e of edges) next.set(e.source, [...(next.get(e.source) ?? []), e.target]);
  const below = new Map<string, Set<string>>();
  const reach = (id: string): Set<string> => {
    const known = below.get(id);
    if (known) return known;
    const all = new Set<string>();
    below.set(id, all);
    for (const n of next.get(id) ?? []) {
      all.add(n);
      for (const x of reach(n)) all.add(x);
    }
    return all;
  };
  return edges.filter((e) => !(next.get(e.source) ?? []).some((n) => n !== e.target && reach(n).has(e.target)));
}
