/** Search is what of a page is in its address besides the path. */
export type Search = {
  connection?: string;
  filter?: string[];
  sort?: string;
  /** Words that are searched for. */
  q?: string;
  /** Field whose values are counted beside a list. */
  group?: string;
  create?: boolean;
  tab?: string;
  /** What is to be done with a resource: its dialog is open. */
  run?: string;
  kind?: string;
};

const many = new Set(['filter']);

/** Addresses are written as people would: ?filter=state=running&filter=… */
export function parseSearch(text: string): Search {
  const search: Record<string, unknown> = {};
  for (const [key, value] of new URLSearchParams(text)) {
    if (many.has(key)) search[key] = [...((search[key] as string[] | undefined) ?? []), value];
    else search[key] = value === 'true' ? true : value;
  }
  return search;
}

export function stringifySearch(search: Record<string, unknown>): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(search)) {
    if (Array.isArray(value)) for (const v of value) params.append(key, String(v));
    else if (value !== undefined && value !== '' && value !== false) params.set(key, String(value));
  }
  const text = params.toString().replaceAll('%3D', '=').replaceAll('%7E', '~').replaceAll('%21', '!');
  return text ? `?${text}` : '';
}
