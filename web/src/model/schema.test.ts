import { describe, expect, it } from 'vitest';
import {
  changes,
  check,
  empty,
  formPath,
  inline,
  leaves,
  named,
  prune,
  references,
  request,
  type Schema,
  withChoices,
} from './schema';

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

describe('what is changed', () => {
  const schema: Schema = {
    type: 'object',
    properties: {
      title: { type: 'string' },
      groups: { type: 'array', items: { type: 'string' } },
      disabled: { type: 'boolean' },
    },
  };

  it('is sent alone, and what was emptied as it is when it is empty', () => {
    const old = { title: 'Anna', groups: ['a'], disabled: true, createdAt: '2026-01-01' };
    expect(changes(schema, old, { title: 'Anna', groups: ['a'], disabled: true })).toEqual({});
    expect(changes(schema, old, { groups: ['a', 'b'], disabled: true, title: 'Anna' })).toEqual({ groups: ['a', 'b'] });
    expect(changes(schema, old, {})).toEqual({ title: '', groups: [], disabled: false });
  });
});

describe('choices', () => {
  const rule: Schema = { type: 'object', properties: { verbs: { type: 'array', items: { type: 'string' } } } };
  const schema: Schema = {
    type: 'object',
    properties: { role: { type: 'string' }, rules: { type: 'array', items: rule } },
  };

  it('are put at a field, or at the items of lists', () => {
    expect(withChoices(schema, 'role', { values: ['viewer'] }).properties?.role?.enum).toEqual(['viewer']);
    const verbs = withChoices(schema, 'rules.verbs', { values: ['read'], open: true, titles: { read: 'See' } });
    const items = verbs.properties?.rules?.items?.properties?.verbs?.items;
    expect(items).toEqual({ type: 'string', examples: ['read'], 'x-titles': { read: 'See' } });
  });

  it('keep to what is chosen unless they are open', () => {
    const only = withChoices(schema, 'rules.verbs', { values: ['read'] });
    expect(check(only, { rules: [{ verbs: ['raed'] }] })[0]).toMatchObject({ path: 'rules.0.verbs.0', rule: 'enum' });
    const open = withChoices(schema, 'rules.verbs', { values: ['read'], open: true });
    expect(check(open, { rules: [{ verbs: ['raed'] }] })).toEqual([]);
  });
});
