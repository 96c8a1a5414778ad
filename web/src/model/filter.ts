import { read } from './schema';

/** Filter keeps rows whose field compares with a value, as the server's lists do. */
export type Filter = { field: string; op: '=' | '!=' | '~'; value: string };

export function parseFilter(text: string): Filter | undefined {
  const match = /^([^=!~]+)(=|!=|~)(.*)$/s.exec(text);
  return match?.[1] && match[2] ? { field: match[1], op: match[2] as Filter['op'], value: match[3] ?? '' } : undefined;
}

export function formatFilter(f: Filter): string {
  return f.field + f.op + f.value;
}

/** fits says whether a row that has just changed still belongs to a filtered list. */
export function fits(row: object, filters: readonly string[]): boolean {
  return filters.every((text) => {
    const f = parseFilter(text);
    if (!f) return true;
    const [top, ...rest] = f.field.split('.');
    const path =
      top && ['labels', 'spec', 'effective', 'status'].includes(top) && rest.length > 0
        ? [top, rest.join('.')]
        : [f.field];
    const found = read(row, path);
    const value =
      found === undefined || found === null ? '' : typeof found === 'object' ? JSON.stringify(found) : String(found);
    if (f.op === '~') return value.toLowerCase().includes(f.value.toLowerCase());
    return (value === f.value) === (f.op === '=');
  });
}
