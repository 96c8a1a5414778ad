import { Anchor, Group, MultiSelect, Select, Stack, Text } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { catalogsQuery, kindsQuery, list, type Resource, resourcesPath } from '../api/queries';
import { useMay } from '../api/rights';
import { fieldTitle, kindTitle, stateTitle } from '../i18n/words';
import { Failure } from '../pages/parts';
import { usePlace } from './place';

type Common = {
  label: ReactNode;
  description?: ReactNode;
  withAsterisk: boolean;
  error?: ReactNode;
  size: 'xs' | 'sm';
};

/** ReferencePicker chooses among the resources of a kind in the form's connection. */
export function ReferencePicker({
  kind,
  many,
  value,
  onChange,
  ...common
}: Common & { kind: string; many: boolean; value: unknown; onChange: (v: unknown) => void }) {
  const { t } = useTranslation();
  const { connection } = usePlace();
  const { data: kinds = [] } = useQuery(kindsQuery);
  const k = kinds.find((x) => x.name === kind);
  const may = useMay();
  const [text, setText] = useState('');
  const [query] = useDebouncedValue(text, 200);
  const chosen = many ? ((value as string[]) ?? []) : value ? [String(value)] : [];
  const filter = query && !chosen.includes(query) ? [`name~${query}`] : [];
  const { data, isPending, error } = useQuery({
    queryKey: ['pick', kind, connection, filter],
    enabled: k !== undefined,
    staleTime: 3000,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) =>
      list<Resource>(resourcesPath(k?.plural ?? '', connection), { filter }, undefined, signal, 50),
  });
  const found = data?.items ?? [];
  const states = new Map(found.map((r) => [r.name, r.state]));
  const options = [...new Set([...found.map((r) => r.name), ...chosen])];
  const none = !isPending && !error && found.length === 0 && filter.length === 0;
  const hint = none && k && (
    <Text span size="xs">
      {t('pick.none', { kind: kindTitle(k) })}{' '}
      {may('create', k.name, connection) && (
        <Anchor
          component={Link}
          size="xs"
          to="/resources/$plural"
          params={{ plural: k.plural } as never}
          search={{ connection, create: true } as never}
        >
          {t('resource.createOne', { kind: kindTitle(k) })}
        </Anchor>
      )}
    </Text>
  );
  const shared = {
    ...common,
    description: hint ? (
      <>
        {common.description} {hint}
      </>
    ) : (
      common.description
    ),
    data: options,
    searchable: true,
    clearable: true,
    onSearchChange: setText,
    nothingFoundMessage: t('pick.nothing'),
    renderOption: ({ option }: { option: { value: string } }) => (
      <Group justify="space-between" w="100%" gap="xs">
        <span>{option.value}</span>
        <Text size="xs" c="dimmed">
          {stateTitle(states.get(option.value) ?? '')}
        </Text>
      </Group>
    ),
  };
  return many ? (
    <MultiSelect {...shared} value={chosen} onChange={onChange} hidePickedOptions />
  ) : (
    <Select {...shared} value={chosen[0] ?? null} onChange={(v) => onChange(v ?? '')} />
  );
}

type Entry = Record<string, unknown>;

/** CatalogPicker chooses among what the form's connection offers. What it does not list can be typed. */
export function CatalogPicker({
  catalog,
  value,
  onChange,
  ...common
}: Common & { catalog: string; value: string; onChange: (v: string) => void }) {
  const { t } = useTranslation();
  const { connection } = usePlace();
  const { data: catalogs = [] } = useQuery(catalogsQuery);
  const c = catalogs.find((x) => x.name === catalog);
  const [text, setText] = useState('');
  const [query] = useDebouncedValue(text, 250);
  const key = c?.entry.properties?.id ? 'id' : 'name';
  const { data, error, isFetching } = useQuery({
    queryKey: ['pick-catalog', catalog, connection, query],
    enabled: c !== undefined,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const filter = query && query !== value && !query.startsWith(`${value} `) ? [`name~${query}`] : [];
      return list<Entry>(`/v1/catalog/${c?.plural}`, { filter: [...filter] }, undefined, signal, 100, connection);
    },
  });
  const entries = new Map((data?.items ?? []).map((e) => [String(e[key]), e]));
  const options = [...entries].map(([id, e]) => ({ value: id, label: key === 'id' ? `${e.name}` : id }));
  if (value && !entries.has(value)) options.unshift({ value, label: value });
  if (query && !options.some((o) => o.value === query || o.label === query))
    options.push({ value: query, label: query });
  return (
    <Stack gap={4}>
      <Select
        {...common}
        data={dedupe(options)}
        searchable
        clearable
        filter={({ options: all }) => all}
        value={value || null}
        onChange={(v) => onChange(v ?? '')}
        onSearchChange={setText}
        nothingFoundMessage={isFetching ? t('common.loading') : t('pick.nothing')}
        renderOption={({ option }) => (
          <Stack gap={0}>
            <span>{option.label}</span>
            <Text size="xs" c="dimmed">
              {entries.has(option.value) ? about(entries.get(option.value) ?? {}, key) : t('pick.asTyped')}
            </Text>
          </Stack>
        )}
      />
      {error && <Failure error={error} />}
    </Stack>
  );
}

function dedupe<T extends { value: string }>(options: T[]): T[] {
  return [...new Map(options.map((o) => [o.value, o])).values()];
}

/** about says in a line what an entry is, by what it has. */
function about(entry: Entry, key: string): string {
  const parts = key === 'id' ? [String(entry.id)] : [];
  for (const [name, value] of Object.entries(entry)) {
    if (name === key || name === 'name' || name === 'description' || name === 'createdAt' || typeof value === 'object')
      continue;
    parts.push(
      typeof value === 'boolean'
        ? value
          ? fieldTitle(name)
          : ''
        : typeof value === 'number'
          ? `${fieldTitle(name)} ${value}`
          : String(value),
    );
  }
  return parts.filter(Boolean).slice(0, 5).join(' · ');
}
