import type { Schemas } from '../api/client';

export type Right = Pick<Schemas['Right'], 'verbs' | 'kinds' | 'connections' | 'labels'>;

/** rightOf is what a rule of a role gives: of its connections one must fit. */
export function rightOf({ verbs = [], kinds = [], connections = [], labels }: Partial<Schemas['RoleRule']>): Right {
  return { verbs, kinds, connections: connections.length > 0 ? [connections.join(',')] : [], labels };
}

/** Groups has which kinds the words of rules stand for that stand for several. */
export type Groups = { resource: readonly string[]; catalog: readonly string[] };

/** everything stands for all verbs, kinds and connections, as it does in rules. */
export const everything = '*';

/** The verbs of which each is a right of its own, which change does not have. */
const ownRights = [
  'kubeconfig',
  'login',
  'password',
  'data',
  'native',
  'extend',
  'credentials',
  'cost',
  'manage',
] as const;

/** The verbs that rules have beside the actions of kinds. */
export const commonVerbs: readonly string[] = [
  'read',
  'change',
  'create',
  'update',
  'delete',
  'adopt',
  'release',
  ...ownRights,
  everything,
];

/** What rules are about beside kinds of resources and catalogs. */
export const commonKinds: readonly string[] = [
  'resource',
  'catalog',
  'metric',
  'connection',
  'credential',
  'driver',
  'repository',
  'audit',
  'person',
  'server',
  everything,
];

/**
 * allowed says whether rights have a verb of a kind, as the server decides it: in a connection, in
 * all of them (everything), or anywhere; for what has these labels, or whatever they are. It is for
 * what is offered: the server decides anew what is asked for.
 */
export function allowed(
  rights: readonly Right[],
  groups: Groups,
  verb: string,
  kind: string,
  connection?: string,
  labels?: Record<string, string>,
): boolean {
  return rights.some((r) => covers(r, groups, verb, kind) && holds(r, connection, labels));
}

function covers(r: Right, groups: Groups, verb: string, kind: string): boolean {
  const changes = verb !== 'read' && !ownRights.some((own) => own === verb);
  const group = groups.resource.includes(kind) ? 'resource' : groups.catalog.includes(kind) ? 'catalog' : kind;
  return (
    (r.verbs.includes(verb) || r.verbs.includes(everything) || (changes && r.verbs.includes('change'))) &&
    (r.kinds.includes(kind) || r.kinds.includes(everything) || r.kinds.includes(group))
  );
}

function holds(right: Right, connection?: string, own?: Record<string, string>): boolean {
  const connections = right.connections ?? [];
  const labels = right.labels ?? [];
  if (connection === everything) return connections.length === 0 && labels.length === 0;
  return (
    (connection === undefined || connections.every((names) => names.split(',').some((p) => fits(p, connection)))) &&
    (own === undefined || labels.every((test) => has(own, test)))
  );
}

/** fits says whether a name is one that a pattern stands for, in which * is any text. */
function fits(pattern: string, name: string): boolean {
  const parts = pattern.split(everything).map((part) => part.replace(/[.\\+?^${}()|[\]]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(name);
}

function has(labels: Record<string, string>, test: string): boolean {
  const [, key = '', op, value] = /^([^=!]+)(!?=)(.*)$/s.exec(test) ?? [];
  return ((labels[key] ?? '') === value) === (op === '=');
}
