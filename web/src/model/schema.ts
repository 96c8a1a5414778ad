import { Validator } from '@cfworker/json-schema';

/** Schema is the part of JSON Schema that the server's descriptions use. */
export type Schema = {
  type?: string | string[];
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: Schema | boolean;
  enum?: string[];
  /** What can be chosen besides what is typed. */
  examples?: string[];
  /** What values are called, for people. */
  'x-titles'?: Record<string, string>;
  /** Of a field that has choices, so that it is not folded away. */
  'x-chosen'?: boolean;
  format?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  writeOnly?: boolean;
  minItems?: number;
  maxItems?: number;
  pattern?: string;
  patternDescription?: string;
  /** Kind of the resources that the field names. */
  'x-kind'?: string;
  /** Catalog whose entries the field names. */
  'x-catalog'?: string;
  /** Names of the properties, in the order in which people should see them. */
  'x-order'?: string[];
  $ref?: string;
  $defs?: Record<string, Schema>;
};

export type Values = Record<string, unknown>;

/** inline puts what a schema refers to in place of the references, and properties in an order where none is said. */
export function inline(root: Schema, order?: string[]): Schema {
  const defs = root.$defs ?? {};
  const walk = (s: Schema): Schema => {
    const { $ref, $defs: _, ...own } = s;
    const target = $ref ? defs[$ref.slice($ref.lastIndexOf('/') + 1)] : undefined;
    const merged: Schema = target ? { ...walk(target), ...own } : own;
    return {
      ...merged,
      ...(merged.properties &&
        !target && { properties: mapValues(ordered(merged.properties, merged['x-order'] ?? order), walk) }),
      ...(merged.items && !target && { items: walk(merged.items) }),
      ...(typeof merged.additionalProperties === 'object' &&
        !target && { additionalProperties: walk(merged.additionalProperties) }),
    };
  };
  return walk(root);
}

function ordered<T>(properties: Record<string, T>, order: string[] = []): Record<string, T> {
  const place = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length);
  return Object.fromEntries(Object.entries(properties).sort(([a], [b]) => place(a) - place(b)));
}

function mapValues<A, B>(object: Record<string, A>, f: (a: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(object).map(([k, v]) => [k, f(v)]));
}

/** typeOf is the type of a schema, without null. */
export function typeOf(s: Schema): string {
  const types = Array.isArray(s.type) ? s.type : [s.type ?? 'object'];
  return types.find((t) => t !== 'null') ?? 'object';
}

export function isMap(s: Schema): boolean {
  return typeOf(s) === 'object' && !s.properties && typeof s.additionalProperties === 'object';
}

/** empty is what a form begins with. */
export function empty(s: Schema): unknown {
  switch (typeOf(s)) {
    case 'object':
      return isMap(s) ? {} : mapValues(s.properties ?? {}, empty);
    case 'array':
      return [];
    case 'boolean':
      return false;
    default:
      return '';
  }
}

/** prune leaves out what was not filled in, which the server takes for its default. */
export function prune(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map(prune).filter((v) => v !== undefined);
    return items.length > 0 ? items : undefined;
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).flatMap(([k, v]): [string, unknown][] => {
      const kept = prune(v);
      return kept === undefined ? [] : [[k, kept]];
    });
    return entries.length > 0 ? Object.fromEntries(entries) : undefined;
  }
  return value === '' || value === false || value === null ? undefined : value;
}

/** request is what a form sends: what was filled in, and the objects that must be there even if they are empty. */
export function request(s: Schema, values: unknown): Values {
  const fill = (schema: Schema, value: unknown): unknown => {
    if (typeOf(schema) !== 'object' || isMap(schema)) return value;
    const given = (value ?? {}) as Values;
    const needed = (schema.required ?? []).filter(
      (n) => typeOf(schema.properties?.[n] ?? { type: 'string' }) === 'object',
    );
    return { ...given, ...Object.fromEntries(needed.map((n) => [n, fill(schema.properties?.[n] ?? {}, given[n])])) };
  };
  return fill(s, prune(values)) as Values;
}

/** changes are the fields that are not as they were, with what was emptied as it is when it is empty. */
export function changes(s: Schema, before: Values, after: Values): Values {
  const same = (n: string) => JSON.stringify(prune(before[n])) === JSON.stringify(prune(after[n]));
  return Object.fromEntries(
    Object.entries(s.properties ?? {})
      .filter(([n]) => !same(n))
      .map(([n, field]) => [n, prune(after[n]) ?? empty(field)]),
  );
}

/** Choices are what a field's values are chosen from; what is open takes others, too. */
export type Choices = { values: readonly string[]; open?: boolean; titles?: Record<string, string> };

/** withChoices puts choices at a field, such as rules.verbs, or at the items of its list. */
export function withChoices(s: Schema, at: string, choices: Choices): Schema {
  if (typeOf(s) === 'array') return { ...s, items: withChoices(s.items ?? {}, at, choices) };
  const [name, ...rest] = at.split('.');
  if (!name) return { ...s, [choices.open ? 'examples' : 'enum']: choices.values, 'x-titles': choices.titles };
  const field = withChoices(s.properties?.[name] ?? {}, rest.join('.'), choices);
  const shown = rest.length > 0 ? field : { ...field, 'x-chosen': true };
  return { ...s, properties: { ...s.properties, [name]: shown } };
}

/** Wrong is one field that does not fit its schema: the rule and its limit. */
export type Wrong = { path: string; rule: string; limit: unknown; pattern?: string };

const rules = new Set([
  'required',
  'type',
  'enum',
  'minLength',
  'maxLength',
  'pattern',
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
  'maxProperties',
]);

/** check says which fields of a pruned value do not fit its schema, one rule for each. */
export function check(schema: Schema, value: unknown): Wrong[] {
  const { errors } = new Validator(schema as ConstructorParameters<typeof Validator>[0], '2020-12', false).validate(
    value,
  );
  const found = new Map<string, Wrong>();
  const add = (w: Wrong) => found.has(w.path) || found.set(w.path, w);
  for (const e of errors) {
    if (!rules.has(e.keyword)) continue;
    const at = pointer(e.instanceLocation);
    const where = pointer(e.keywordLocation).slice(0, -1);
    const owner = read(schema, where) as Schema;
    if (e.keyword === 'required') {
      const given = (read(value, at) ?? {}) as Values;
      for (const name of owner.required ?? []) {
        if (!(name in given)) add({ path: [...at, name].join('.'), rule: 'required', limit: true });
      }
    } else {
      add({
        path: at.join('.'),
        rule: e.keyword,
        limit: owner[e.keyword as keyof Schema],
        pattern: owner.patternDescription,
      });
    }
  }
  return [...found.values()];
}

function pointer(location: string): string[] {
  return location
    .replace(/^#\/?/, '')
    .split('/')
    .filter((s) => s !== '')
    .map((s) => decodeURIComponent(s).replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** read returns what is at a path of a value. */
export function read(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (v, key) => (typeof v === 'object' && v !== null ? (v as Values)[key] : undefined),
    value,
  );
}

/** formPath turns the server's spec.rules[0].cidr into the form's spec.rules.0.cidr. */
export function formPath(field: string): string {
  return field.replaceAll(/\[(\d+)\]/g, '.$1');
}

/** Leaf is a field that holds one value, for the columns of tables. */
export type Leaf = { path: string[]; schema: Schema; required: boolean };

/** leaves lists the fields of an object that a table can show: single values and lists of them. */
export function leaves(schema: Schema, path: string[] = []): Leaf[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, s]) => {
    const here = [...path, name];
    const single = typeOf(s) !== 'object' && (typeOf(s) !== 'array' || typeOf(s.items ?? {}) !== 'object');
    return single ? [{ path: here, schema: s, required: schema.required?.includes(name) ?? false }] : [];
  });
}

/** References lists the paths at which a schema names resources, with their kinds. */
export function references(schema: Schema, path: string[] = []): { path: string[]; kind: string }[] {
  const own = schema['x-kind'] ? [{ path, kind: schema['x-kind'] }] : [];
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, s]) => references(s, [...path, name]));
  const items = schema.items ? references(schema.items, [...path, '*']) : [];
  return [...own, ...below, ...items];
}

/** named returns the names that a value holds at a path of references. */
export function named(value: unknown, path: string[]): string[] {
  if (value === undefined || value === null || value === '') return [];
  if (Array.isArray(value)) return value.flatMap((v) => named(v, path[0] === '*' ? path.slice(1) : path));
  const [first, ...rest] = path;
  return first === undefined ? [String(value)] : named((value as Values)[first], rest);
}
