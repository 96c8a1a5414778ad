/** The part of a resource that it is found by. */
type Findable = {
  name: string;
  facadeName?: string;
  uid: string;
  cloudId?: string;
  labels?: Record<string, string>;
  effective?: unknown;
  status?: unknown;
};

/**
 * found says whether a row that has just changed still belongs to a list that is
 * searched: each word is a part of its names, ids, labels as key=value or addresses, as
 * the server has it.
 */
export function found(r: Findable, q = ''): boolean {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const text = [
    r.name,
    r.facadeName ?? '',
    r.uid,
    r.cloudId ?? '',
    ...Object.entries(r.labels ?? {}).map(([k, v]) => `${k}=${v}`),
    ...addresses(r.effective),
    ...addresses(r.status),
  ]
    .join('\n')
    .toLowerCase();
  return words.every((w) => text.includes(w));
}

/** addresses are the texts in a value that look like an address, a range, a host name or a URL. */
function addresses(value: unknown): string[] {
  if (typeof value === 'string')
    return !/\s/.test(value) && (value.split('.').length > 2 || value.split(':').length > 2) ? [value] : [];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(addresses) : [];
}
