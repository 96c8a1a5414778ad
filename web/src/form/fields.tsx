import {
  Accordion,
  ActionIcon,
  Autocomplete,
  Button,
  Checkbox,
  Fieldset,
  Group,
  Input,
  MultiSelect,
  NumberInput,
  PasswordInput,
  Select,
  Stack,
  TagsInput,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { fieldDoc, fieldTitle } from '../i18n/words';
import { empty, isMap, read, type Schema, typeOf } from '../model/schema';
import { CatalogPicker, ReferencePicker } from './pickers';
import { type FieldProps, type Form, usePlace } from './place';

/** Fields shows what is required first, and the rest behind a heading if there is much of it. */
export function Fields({
  form,
  schema,
  path,
  without = [],
}: {
  form: Form;
  schema: Schema;
  path: string[];
  without?: string[];
}) {
  const { t } = useTranslation();
  const { refinements } = usePlace();
  const names = Object.keys(schema.properties ?? {}).filter((n) => !without.includes(n));
  const isRequired = (n: string) => schema.required?.includes(n) ?? false;
  const prominent = names.filter(
    (n) =>
      isRequired(n) ||
      schema.properties?.[n]?.['x-kind'] ||
      schema.properties?.[n]?.['x-chosen'] ||
      schema.properties?.[n]?.['x-catalog'] === 'image' ||
      refinements[`${path.join('.')}.${n}`],
  );
  const optional = names.filter((n) => !prominent.includes(n));
  const field = (n: string) => (
    <Field key={n} form={form} schema={schema.properties?.[n] ?? {}} path={[...path, n]} required={isRequired(n)} />
  );
  const folded = optional.length > 3;
  const wrong = optional.some((n) => Object.keys(form.errors).some((e) => e.startsWith([...path, n].join('.'))));
  return (
    <>
      {names.filter((n) => prominent.includes(n)).map(field)}
      {!folded && optional.map(field)}
      {folded && (
        <Accordion variant="contained" {...(wrong ? { value: 'more' } : {})}>
          <Accordion.Item value="more">
            <Accordion.Control>{t('form.more', { count: optional.length })}</Accordion.Control>
            <Accordion.Panel>
              <Stack gap="sm">{optional.map(field)}</Stack>
            </Accordion.Panel>
          </Accordion.Item>
        </Accordion>
      )}
    </>
  );
}

/** Field is the input for one property. */
export function Field({ form, schema, path, required, bare = false }: FieldProps) {
  const { t } = useTranslation();
  const place = usePlace();
  const at = path.join('.');
  const name = path.at(-1) ?? '';
  const Refined = place.refinements[`${place.owner}.${at}`] ?? place.refinements[at];
  if (Refined && !bare) return <Refined form={form} schema={schema} path={path} required={required} />;

  const label = fieldTitle(name);
  const doc = fieldDoc(`${place.owner}.${name}`, schema.description);
  const common = {
    label,
    'aria-label': bare ? label : undefined,
    description: bare ? undefined : doc,
    withAsterisk: required,
    error: errorAt(form, at),
    size: bare ? 'xs' : 'sm',
    ...(bare && { labelProps: { style: { fontWeight: 500 } } }),
  } as const;
  const value = read(form.getValues(), path);
  const set = (v: unknown) => form.setFieldValue(at, v);

  if (schema['x-kind'] && place.connection) {
    return (
      <ReferencePicker
        kind={schema['x-kind']}
        many={typeOf(schema) === 'array'}
        value={value}
        onChange={set}
        {...common}
      />
    );
  }
  if (schema['x-catalog'] && place.connection)
    return <CatalogPicker catalog={schema['x-catalog']} value={String(value ?? '')} onChange={set} {...common} />;
  if (isMap(schema)) return <MapField form={form} path={path} schema={schema} />;
  switch (typeOf(schema)) {
    case 'object':
      if (path.length === 1 && name === 'spec') return <Fields form={form} schema={schema} path={path} />;
      return (
        <Fieldset legend={label}>
          <Stack gap="sm">
            {doc && (
              <Text size="xs" c="dimmed">
                {doc}
              </Text>
            )}
            <Fields form={form} schema={schema} path={path} />
          </Stack>
        </Fieldset>
      );
    case 'array':
      if (typeOf(schema.items ?? {}) === 'object')
        return <ListField form={form} schema={schema} path={path} required={required} />;
      if (schema.items?.enum)
        return (
          <MultiSelect
            {...common}
            data={choices(schema.items)}
            value={(value as string[]) ?? []}
            onChange={set}
            searchable
          />
        );
      return (
        <TagsInput
          {...common}
          value={(value as string[]) ?? []}
          onChange={set}
          data={schema.items?.examples}
          placeholder={t('form.tags')}
          splitChars={[',', ' ']}
          acceptValueOnBlur
        />
      );
    case 'integer':
    case 'number':
      return (
        <NumberInput
          {...common}
          value={value as number | string}
          onChange={set}
          min={schema.minimum}
          max={schema.maximum}
          clampBehavior="none"
          allowDecimal={typeOf(schema) === 'number'}
        />
      );
    case 'boolean':
      return (
        <Checkbox
          label={label}
          description={common.description}
          checked={value === true}
          onChange={(e) => set(e.currentTarget.checked)}
          error={common.error}
        />
      );
    default:
      if (schema.enum)
        return (
          <Select
            {...common}
            data={choices(schema)}
            value={(value as string) || null}
            onChange={(v) => set(v ?? '')}
            clearable={!required}
          />
        );
      if ((schema.maxLength ?? 0) > 1000)
        return (
          <Textarea
            {...common}
            value={String(value ?? '')}
            onChange={(e) => set(e.currentTarget.value)}
            autosize
            minRows={2}
            maxRows={8}
            styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
          />
        );
      if (schema.writeOnly)
        return (
          <PasswordInput
            {...common}
            value={String(value ?? '')}
            onChange={(e) => set(e.currentTarget.value)}
            autoComplete="new-password"
          />
        );
      if (schema.examples)
        return <Autocomplete {...common} data={schema.examples} value={String(value ?? '')} onChange={set} />;
      return <TextInput {...common} value={String(value ?? '')} onChange={(e) => set(e.currentTarget.value)} />;
  }
}

/** choices are what can be chosen, as it is called. */
function choices({ enum: values = [], 'x-titles': titles = {} }: Schema) {
  return values.map((value) => ({ value, label: titles[value] ?? value }));
}

/** errorAt is what is wrong with a field, or with an item of its list. */
export function errorAt(form: Form, at: string): ReactNode {
  return (
    form.errors[at] ??
    Object.entries(form.errors).find(([path]) => new RegExp(`^${at.replaceAll('.', '\\.')}\\.\\d+$`).test(path))?.[1]
  );
}

/** ListField edits a list of objects, one row for each, with what is to be said of an item below it. */
export function ListField({
  form,
  schema,
  path,
  required,
  extra,
  about,
}: FieldProps & { extra?: ReactNode; about?: (item: unknown) => ReactNode }) {
  const { t } = useTranslation();
  const { owner } = usePlace();
  const at = path.join('.');
  const items = (read(form.getValues(), path) as unknown[] | undefined) ?? [];
  const item = schema.items ?? {};
  const names = Object.keys(item.properties ?? {});
  const flat =
    names.length <= 6 && names.every((n) => !['object', 'array'].includes(typeOf(item.properties?.[n] ?? {})));
  return (
    <Input.Wrapper
      label={fieldTitle(path.at(-1) ?? '')}
      labelElement="div"
      description={fieldDoc(`${owner}.${path.at(-1)}`, schema.description)}
      withAsterisk={required}
      error={errorAt(form, at)}
    >
      <Stack gap={6} mt={6}>
        {items.map((value, i) => {
          const fields = names.map((n) => (
            <div key={n} style={flat ? { flex: n === 'cidr' ? '2 1 130px' : '1 1 84px' } : undefined}>
              <Field
                form={form}
                schema={item.properties?.[n] ?? {}}
                path={[...path, String(i), n]}
                required={item.required?.includes(n) ?? false}
                bare={flat}
              />
            </div>
          ));
          const remove = (
            <ActionIcon
              key="remove"
              variant="subtle"
              color="gray"
              aria-label={t('form.removeItem', { number: i + 1 })}
              onClick={() => form.removeListItem(at, i)}
              mt={flat ? 24 : 0}
            >
              <IconTrash size={15} />
            </ActionIcon>
          );
          return flat ? (
            <Group
              key={i}
              gap={6}
              align="flex-start"
              wrap="nowrap"
              role="group"
              aria-label={t('form.item', { number: i + 1 })}
            >
              {fields}
              {remove}
            </Group>
          ) : (
            <Fieldset
              key={i}
              legend={
                <Group gap={4}>
                  {t('form.item', { number: i + 1 })}
                  {remove}
                </Group>
              }
            >
              <Stack gap="sm">
                {fields}
                {about?.(value)}
              </Stack>
            </Fieldset>
          );
        })}
        <Group gap={6}>
          <Button
            variant="default"
            size="compact-sm"
            leftSection={<IconPlus size={14} />}
            onClick={() => form.insertListItem(at, empty(item))}
          >
            {t('form.add')}
          </Button>
          {extra}
        </Group>
      </Stack>
    </Input.Wrapper>
  );
}

/** MapField edits names with values, such as labels. */
function MapField({ form, schema, path }: Omit<FieldProps, 'required'>) {
  const { t } = useTranslation();
  const { owner } = usePlace();
  const at = path.join('.');
  const entries = Object.entries((read(form.getValues(), path) as Record<string, string> | undefined) ?? {});
  const set = (next: [string, string][]) => form.setFieldValue(at, Object.fromEntries(next));
  const wrong = Object.entries(form.errors).find(([p]) => p === at || p.startsWith(`${at}.`))?.[1];
  return (
    <Input.Wrapper
      label={fieldTitle(path.at(-1) ?? '')}
      labelElement="div"
      description={fieldDoc(`${owner}.${path.at(-1)}`, schema.description)}
      error={wrong}
    >
      <Stack gap={6} mt={6}>
        {entries.map(([key, value], i) => (
          <Group key={i} gap={6} wrap="nowrap">
            <TextInput
              size="xs"
              flex={1}
              aria-label={t('form.key', { number: i + 1 })}
              placeholder={t('form.keyHint')}
              value={key}
              onChange={(e) => set(entries.map((x, j) => (i === j ? [e.currentTarget.value, value] : x)))}
            />
            <TextInput
              size="xs"
              flex={1}
              aria-label={t('form.valueOf', { number: i + 1 })}
              placeholder={t('form.valueHint')}
              value={value}
              onChange={(e) => set(entries.map((x, j) => (i === j ? [key, e.currentTarget.value] : x)))}
            />
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={t('form.removeItem', { number: i + 1 })}
              onClick={() => set(entries.filter((_, j) => j !== i))}
            >
              <IconTrash size={15} />
            </ActionIcon>
          </Group>
        ))}
        <Group>
          <Button
            variant="default"
            size="compact-sm"
            leftSection={<IconPlus size={14} />}
            disabled={entries.some(([k]) => k === '')}
            onClick={() => set([...entries, ['', '']])}
          >
            {t('form.add')}
          </Button>
        </Group>
      </Stack>
    </Input.Wrapper>
  );
}
