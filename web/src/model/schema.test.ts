import { describe, expect, it } from 'vitest';
import { check, empty, formPath, inline, leaves, named, prune, references, request, type Schema } from './schema';

const root: Schema = {
  $ref: '#/$defs/Create',
  $defs: {
    Create: {
      type: 'object',
      required: ['name', 'spec'],
      additionalProperties: false,
      properties: {
        spec: { $ref: '#/$defs/Spec', description: 'What to create.' },
        name: { type: 'string', minLength: 1, maxLength: 8, pattern: '^[a-z]+$', patternDescription: 'small letters' },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
      },
      'x-order': ['name', 'labels', 'spec'],
    },
    Spec: {
      type: 'object',
      required: ['vpc'],
      properties: {
        vpc: { type: 'string', 'x-kind': 'vpc' },
        groups: { type: 'array', items: { type: 'string' }, 'x-kind': 'securitygroup', maxItems: 2 },
        size: { type: 'integer', minimum: 1, maximum: 10 },
        mode: { type: 'string', enum: ['a', 'b'] },
        on: { type: 'boolean' },
        rules: { type: 'array', items: { $ref: '#/$defs/Rule' } },
      },
    },
    Rule: {
      type: 'object',
      required: ['cidr'],
      properties: { cidr: { type: 'string' }, nic: { type: 'string', 'x-kind': 'nic' } },
    },
  },
};
const schema = inline(root);

describe('schemas', () => {
  it('are put in one piece, in the order for people', () => {
    expect(Object.keys(schema.properties ?? {})).toEqual(['name', 'labels', 'spec']);
    expect(schema.properties?.spec?.description).toBe('What to create.');
    expect(schema.properties?.spec?.properties?.rules?.items?.properties?.cidr).toEqual({ type: 'string' });
    expect(JSON.stringify(schema)).not.toContain('$ref');
  });

  it('begin a form empty, and what was not filled in is left out', () => {
    const values = empty(schema);
    expect(values).toEqual({
      name: '',
      labels: {},
      spec: { vpc: '', groups: [], size: '', mode: '', on: false, rules: [] },
    });
    expect(prune(values)).toBeUndefined();
    expect(request(schema, values)).toEqual({ spec: {} });
    expect(prune({ a: '', b: 0, c: [{ d: '' }, { d: 'x' }], e: { f: {} } })).toEqual({ b: 0, c: [{ d: 'x' }] });
  });

  it('say which fields are wrong, as the server does', () => {
    const wrong = (value: unknown) => Object.fromEntries(check(schema, value).map((w) => [w.path, [w.rule, w.limit]]));
    expect(wrong({ name: 'web', spec: { vpc: 'v' } })).toEqual({});
    expect(wrong({})).toEqual({ name: ['required', true], spec: ['required', true] });
    expect(wrong({ name: 'UPPER', spec: {} })).toEqual({
      name: ['pattern', '^[a-z]+$'],
      'spec.vpc': ['required', true],
    });
    expect(check(schema, { name: 'UPPER', spec: { vpc: 'v' } })[0]?.pattern).toBe('small letters');
    expect(
      wrong({ name: 'muchtoolong', spec: { vpc: 'v', size: 11, mode: 'c', groups: ['a', 'b', 'c'], rules: [{}] } }),
    ).toEqual({
      name: ['maxLength', 8],
      'spec.size': ['maximum', 10],
      'spec.mode': ['enum', ['a', 'b']],
      'spec.groups': ['maxItems', 2],
      'spec.rules.0.cidr': ['required', true],
    });
  });

  it('tell what refers to what', () => {
    expect(references(schema)).toEqual([
      { path: ['spec', 'vpc'], kind: 'vpc' },
      { path: ['spec', 'groups'], kind: 'securitygroup' },
      { path: ['spec', 'rules', '*', 'nic'], kind: 'nic' },
    ]);
    const value = { spec: { groups: ['g1', 'g2'], rules: [{ nic: 'n1' }, {}] } };
    expect(named(value, ['spec', 'groups'])).toEqual(['g1', 'g2']);
    expect(named(value, ['spec', 'rules', '*', 'nic'])).toEqual(['n1']);
    expect(named(value, ['spec', 'vpc'])).toEqual([]);
  });

  it('give tables a column for each single value', () => {
    expect(leaves(schema.properties?.spec ?? {}, ['spec']).map((l) => l.path.join('.'))).toEqual([
      'spec.vpc',
      'spec.groups',
      'spec.size',
      'spec.mode',
      'spec.on',
    ]);
  });

  it('have paths as forms write them', () => {
    expect(formPath('spec.rules[0].ports[12]')).toBe('spec.rules.0.ports.12');
  });
});
