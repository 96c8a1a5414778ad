import i18next from 'i18next';
import type { Catalog, Kind } from '../api/queries';

/**
 * The server's own words, such as names of kinds and fields, are shown as its
 * descriptions have them. Languages other than English translate those that they
 * know; a new kind needs nothing here.
 */
function word(key: string, fallback: string): string {
  const translated = i18next.getResource(i18next.language, 'words', key) as unknown;
  return typeof translated === 'string' ? translated : fallback;
}

export const kindTitle = (k: Kind) => word(`kind.${k.name}`, k.title);
/** kindTitles is the title for many; Korean has no plural. */
export const kindTitles = (k: Kind) =>
  word(`kind.${k.name}`, /[^aeiou]y$/.test(k.title) ? `${k.title.slice(0, -1)}ies` : `${k.title}s`);
export const catalogTitle = (c: Catalog) => word(`catalog.${c.name}`, c.title);
export const catalogTitles = (c: Catalog) => word(`catalog.${c.name}`, `${c.title}s`);
export const fieldTitle = (name: string) => word(`field.${name}`, humanize(name));
export const verbTitle = (name: string) => word(`verb.${name}`, humanize(name));
export const stateTitle = (name: string) => word(`state.${name}`, name);

/** fieldDoc is what a field is for, by the name of its schema's owner and its own. */
export const fieldDoc = (name: string, doc = '') => word(`doc.${name}`, doc);

/** roleDoc is what a role is for that every server has. */
export const roleDoc = ({ name, doc = '' }: { name: string; doc?: string }) => word(`role.${name}`, doc);

/** rightWords is a part of the sentence that says what a right is: a verb (do), or what it is done with (of). */
export const rightWords = (part: 'do' | 'of', name: string) =>
  word(`right.${part}.${name}`, rights[part][name] ?? humanize(name).toLowerCase());

const rights: Record<'do' | 'of', Record<string, string>> = {
  do: {
    '*': 'do everything with',
    read: 'see',
    kubeconfig: 'take what opens',
    login: 'log in to',
    password: 'set and see passwords of',
    data: 'reach the data of',
    native: "use the cloud's own API through",
    extend: 'use what only one driver has through',
    credentials: 'take temporary credentials of',
    cost: 'see the costs of',
    label: 'edit the labels of',
  },
  of: {
    '*': 'everything',
    resource: 'all kinds of resources',
    catalog: 'all catalogs',
    metric: 'metrics',
    connection: 'connections',
    credential: 'credentials',
    driver: 'drivers',
    repository: 'repositories',
    audit: 'the audit trail',
    person: 'users and what they may do',
    server: "the server's metrics",
  },
};

const known: Record<string, string> = {
  '*': 'Everything',
  securitygroup: 'Security group',
  securitygroups: 'Security groups',
  keypair: 'Key pair',
  customimage: 'Custom image',
  publicip: 'Public IP',
  vpc: 'VPC',
  vm: 'VM',
  nic: 'NIC',
  nlb: 'NLB',
  cidr: 'CIDR',
  vcpus: 'vCPUs',
  os: 'OS',
  id: 'ID',
  gpus: 'GPUs',
  addrules: 'Add rules',
  removerules: 'Remove rules',
  addcidr: 'Add range',
  removecidr: 'Remove range',
  cidrs: 'Ranges',
  addaddresses: 'Add addresses',
  removeaddresses: 'Remove addresses',
  addmembers: 'Add members',
  removemembers: 'Remove members',
  sethealthcheck: 'Set health check',
  setlistener: 'Set listener',
  settarget: 'Set target port',
  addnodegroup: 'Add node group',
  removenodegroup: 'Remove node group',
  scalenodegroup: 'Scale node group',
  addsubnets: 'Add subnets',
  removesubnets: 'Remove subnets',
  setpassword: 'Set password',
  createdatabase: 'Create database',
  dropdatabase: 'Drop database',
  label: 'Edit labels',
  facadeName: 'Name in CB-Spider',
  cloudId: 'Cloud ID',
  uid: 'UID',
};

const short: Record<string, string> = {
  os: 'OS',
  id: 'ID',
  ip: 'IP',
  gpu: 'GPU',
  cidr: 'CIDR',
  vpc: 'VPC',
  vm: 'VM',
  gib: 'GiB',
  mib: 'MiB',
  ghz: 'GHz',
  dns: 'DNS',
  ipv6: 'IPv6',
  mac: 'MAC',
  ssh: 'SSH',
  url: 'URL',
};

/** humanize writes rootDiskSizeGiB as Root disk size GiB. */
export function humanize(name: string): string {
  if (known[name]) return known[name];
  const words = name.match(/GiB|MiB|GHz|[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])/g) ?? [name];
  const text = words.map((w) => short[w.toLowerCase()] ?? w.toLowerCase()).join(' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}
