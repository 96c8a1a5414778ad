import { Group, ScrollArea, Select, Text, UnstyledButton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { countsQuery, type ListQuery } from '../api/queries';
import { fieldTitle, stateTitle } from '../i18n/words';
import { Failure } from '../pages/parts';

const fields = ['state', 'cloud', 'region', 'connection'];

/** GroupBy chooses the field whose values are counted beside a list: one that all kinds have, or a label. */
export function GroupBy({ value, onChange }: { value?: string; onChange: (field?: string) => void }) {
  const { t } = useTranslation();
  const [text, setText] = useState('');
  const label = /^[A-Za-z0-9][A-Za-z0-9._/-]*$/.test(text) ? `labels.${text}` : undefined;
  const title = (f: string) =>
    f.startsWith('labels.') ? t('group.label', { key: f.slice('labels.'.length) }) : fieldTitle(f);
  const all = [...new Set([...fields, ...(value ? [value] : []), ...(label ? [label] : [])])];
  return (
    <Select
      size="xs"
      w={150}
      placeholder={t('group.none')}
      aria-label={t('group.by')}
      data={all.map((f) => ({ value: f, label: title(f) }))}
      value={value ?? null}
      onChange={(f) => onChange(f ?? undefined)}
      onSearchChange={setText}
      nothingFoundMessage={t('group.hint')}
      searchable
      clearable
    />
  );
}

/** Groups shows how many have each value of a field; a click keeps only those. */
export function Groups({
  plural,
  field,
  query,
  onFilter,
}: {
  plural: string;
  field: string;
  query: ListQuery;
  onFilter: (filter: string[]) => void;
}) {
  const { t, i18n } = useTranslation();
  const own = query.filter.find((f) => f.startsWith(`${field}=`));
  const others = query.filter.filter((f) => f !== own);
  const { data, error } = useQuery(countsQuery(plural, field, { ...query, filter: others }));
  const number = (n: number) => n.toLocaleString(i18n.language);
  const row = (key: string, title: string, count: number, filter?: string) => (
    <UnstyledButton
      key={key}
      className="group-row"
      aria-pressed={own === filter}
      disabled={key === '='}
      onClick={() => onFilter(filter && own !== filter ? [...others, filter] : others)}
    >
      <Group justify="space-between" wrap="nowrap" gap={6}>
        <Text size="sm" truncate>
          {title}
        </Text>
        <Text size="sm" c="dimmed">
          {number(count)}
        </Text>
      </Group>
      {data && filter && (
        <div className="group-bar" style={{ width: `${Math.max(1, (100 * count) / Math.max(1, data.total))}%` }} />
      )}
    </UnstyledButton>
  );
  return (
    <ScrollArea className="groups" component="nav" aria-label={t('group.by')} type="auto">
      {error && <Failure error={error} />}
      {data && row('', t('group.all'), data.total)}
      {data?.groups.map((g) =>
        g.value === ''
          ? row('=', t('group.without'), g.count, `${field}=`)
          : row(g.value, field === 'state' ? stateTitle(g.value) : g.value, g.count, `${field}=${g.value}`),
      )}
    </ScrollArea>
  );
}
