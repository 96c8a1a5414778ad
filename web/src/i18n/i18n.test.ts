import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import en from './en.json';
import ko from './ko.json';
import { humanize } from './words';

function keys(texts: object, at = ''): string[] {
  return Object.entries(texts).flatMap(([k, v]) => (typeof v === 'string' ? [`${at}${k}`] : keys(v, `${at}${k}.`)));
}

const text = (texts: object, key: string) =>
  key.split('.').reduce<unknown>((o, k) => (o as Record<string, unknown>)[k], texts) as string;
const marks = (s: string) => [...s.matchAll(/\{\{\w+\}\}|<\/?\w+>/g)].map((m) => m[0]).sort();

describe('texts', () => {
  it('are the same in every language', () => {
    expect(keys(ko).sort()).toEqual(keys(en).sort());
    for (const key of keys(en)) expect(marks(text(ko, key)), key).toEqual(marks(text(en, key)));
  });

  it('are all used', () => {
    const source = readdirSync('src', { recursive: true, encoding: 'utf8' })
      .filter((f) => /\.tsx?$/.test(f) && !f.endsWith('.test.ts') && !f.endsWith('schema.d.ts'))
      .map((f) => readFileSync(join('src', f), 'utf8'))
      .join('\n');
    const built =
      /^(shell\.(light|dark|auto)|step\.|problem\.|terminal\.ended\.|inventory\.(all|both|cloud|here|kept|other)$|drivers\.(done|step)\.|form\.(maxLength|minimum|maximum|minItems|maxItems))/;
    expect(keys(en).filter((k) => !built.test(k) && !source.includes(`'${k}'`) && !source.includes(`"${k}"`))).toEqual(
      [],
    );
  });

  it('of fields are made from their names', () => {
    expect(humanize('rootDiskSizeGiB')).toBe('Root disk size GiB');
    expect(humanize('clockGHz')).toBe('Clock GHz');
    expect(humanize('ipv6Addresses')).toBe('IPv6 addresses');
    expect(humanize('osVersion')).toBe('OS version');
    expect(humanize('gpuModel')).toBe('GPU model');
    expect(humanize('vpc')).toBe('VPC');
  });
});
