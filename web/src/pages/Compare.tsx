import {
  Badge,
  Button,
  Checkbox,
  Group,
  Modal,
  MultiSelect,
  NumberInput,
  Select,
  Stack,
  Table,
  Text,
} from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQueries, useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { all, connectionsQuery, useDrivers } from '../api/queries';
import { fieldTitle } from '../i18n/words';
import { compare, type Filter, hourly, type Machine, type Price, type Spec } from '../model/compare';
import { type Column, ColumnsMenu, DataTable, type Selection } from '../table/DataTable';
import { Failure, Head } from './parts';

const most = 20_000; // entries of a catalog

/** Compare puts the machine types of several connections side by side, with what they cost. */
export function Compare() {
  const { t, i18n } = useTranslation();
  const { data: connections = [] } = useQuery(connectionsQuery);
  const { data: drivers = [] } = useDrivers();
  const able = connections.filter((c) => drivers.find((d) => d.name === c.cloud)?.catalogs?.includes('spec'));
  const [chosen, setChosen] = useState<string[]>();
  const shown = able.filter((c) => (chosen ?? able.slice(0, 4).map((x) => x.name)).includes(c.name));
  const [filter, setFilter] = useState<Filter>({});
  const [os, setOs] = useState<string>('linux');
  const [sort, setSort] = useState<string | undefined>('price');
  const [selection, setSelection] = useState<Selection>({});
  const [beside, setBeside] = useState(false);
  const [narrow] = useDebouncedValue(filter, 200);

  const read = <T,>(plural: string, connection: string, narrowed: string[], offered: boolean) => ({
    queryKey: ['catalog-all', plural, connection, narrowed],
    enabled: offered,
    staleTime: 10 * 60_000,
    retry: false,
    queryFn: ({ signal }: { signal: AbortSignal }) =>
      all<T>(`/v1/catalog/${plural}`, { filter: narrowed }, most, signal, connection),
  });
  const offers = (cloud: string, catalog: string) =>
    drivers.find((d) => d.name === cloud)?.catalogs?.includes(catalog) ?? false;
  const specs = useQueries({
    queries: shown.map((c) => read<Spec>('specs', c.name, [], true)),
    combine: (r) => ({
      lists: r.map((q) => q.data),
      pending: r.some((q) => q.isLoading),
      errors: r.map((q) => q.error),
    }),
  });
  const prices = useQueries({
    queries: shown.map((c) =>
      read<Price>('prices', c.name, ['product=vm', 'contract=onDemand', `os=${os}`], offers(c.cloud, 'price')),
    ),
    combine: (r) => ({
      lists: r.map((q) => q.data),
      pending: r.some((q) => q.isLoading),
      errors: r.map((q) => q.error),
    }),
  });
  const names = shown.map((c) => c.name).join('/');
  // biome-ignore lint/correctness/useExhaustiveDependencies: the connections are told apart by their names
  const rows = useMemo(
    () =>
      compare(
        shown.map((c, i) => ({
          connection: c.name,
          cloud: c.cloud,
          region: c.region,
          specs: specs.lists[i] ?? [],
          prices: hourly(prices.lists[i] ?? []),
        })),
        narrow,
        sort,
      ),
    [names, specs.lists, prices.lists, narrow, sort],
  );
  const columns = useMachineColumns(i18n.language);
  const id = (m: Machine) => `${m.connection}/${m.name}`;
  const picked = rows.filter((m) => selection[id(m)]);
  const number = (field: 'vcpus' | 'memoryGiB' | 'gpus' | 'maxPrice', label: string, step = 1) => (
    <NumberInput
      size="xs"
      w={120}
      label={label}
      min={0}
      step={step}
      value={filter[field] ?? ''}
      onChange={(v) => setFilter({ ...filter, [field]: v === '' ? undefined : Number(v) })}
    />
  );
  const failed = [...specs.errors, ...prices.errors].find((e) => e !== null);
  return (
    <div className="page">
      <Head
        title={t('compare.title')}
        aside={
          <Text size="sm" c="dimmed">
            {t('compare.doc')}
          </Text>
        }
        actions={
          <>
            <Button size="xs" disabled={picked.length < 2} onClick={() => setBeside(true)}>
              {t('compare.beside', { count: picked.length })}
            </Button>
            <ColumnsMenu name="compare" columns={columns} />
          </>
        }
      />
      <Group gap={8} align="flex-end">
        <MultiSelect
          size="xs"
          miw={220}
          maw={420}
          label={t('nav.connections')}
          data={able.map((c) => c.name)}
          value={shown.map((c) => c.name)}
          onChange={setChosen}
          searchable
        />
        {number('vcpus', t('compare.vcpus'))}
        {number('memoryGiB', t('compare.memory'))}
        {number('gpus', t('compare.gpus'))}
        <Select
          size="xs"
          w={120}
          label={fieldTitle('architecture')}
          data={['x86_64', 'arm64']}
          value={filter.architecture ?? null}
          onChange={(a) => setFilter({ ...filter, architecture: a ?? undefined })}
          clearable
        />
        <Select
          size="xs"
          w={120}
          label={t('compare.os')}
          data={['linux', 'windows']}
          value={os}
          onChange={(o) => setOs(o ?? 'linux')}
          allowDeselect={false}
        />
        {number('maxPrice', t('compare.maxPrice'), 0.1)}
        <Checkbox
          size="xs"
          mb={6}
          label={t('compare.priced')}
          checked={filter.priced ?? false}
          onChange={(e) => setFilter({ ...filter, priced: e.currentTarget.checked })}
        />
      </Group>
      {failed && <Failure error={failed} />}
      <DataTable
        name="compare"
        label={t('compare.title')}
        rows={rows}
        rowId={id}
        columns={columns}
        sort={sort}
        onSort={setSort}
        selection={selection}
        onSelection={setSelection}
        loading={specs.pending || prices.pending}
        empty={able.length === 0 ? t('catalog.notOffered') : t('empty.filtered')}
      />
      <Modal
        opened={beside}
        onClose={() => setBeside(false)}
        size="xl"
        title={t('compare.title')}
        closeButtonProps={{ 'aria-label': t('common.close') }}
      >
        <Beside machines={picked} columns={columns} />
      </Modal>
    </div>
  );
}

function useMachineColumns(language: string): Column<Machine>[] {
  const { t } = useTranslation();
  const money = (m: Machine, hours: number, digits: number) =>
    m.price === undefined
      ? undefined
      : new Intl.NumberFormat(language, {
          style: 'currency',
          currency: m.currency ?? 'USD',
          maximumFractionDigits: digits,
        }).format(m.price * hours);
  const dash = (v: unknown) => (v === undefined || v === '' || v === 0 ? '–' : String(v));
  // biome-ignore lint/correctness/useExhaustiveDependencies: titles follow the language
  return useMemo(
    () => [
      { id: 'name', title: fieldTitle('name'), width: 170, sortable: true, cell: (m) => m.name },
      { id: 'connection', title: fieldTitle('connection'), width: 120, sortable: true, cell: (m) => m.connection },
      {
        id: 'price',
        title: t('compare.hour'),
        width: 110,
        sortable: true,
        cell: (m) => money(m, 1, 4) ?? t('compare.noPrice'),
      },
      { id: 'month', title: t('compare.month'), width: 150, cell: (m) => dash(money(m, 730, 2)) },
      { id: 'vcpus', title: fieldTitle('vcpus'), width: 80, sortable: true, cell: (m) => m.vcpus },
      { id: 'memoryGiB', title: t('compare.memory'), width: 120, sortable: true, cell: (m) => m.memoryGiB },
      { id: 'gpus', title: fieldTitle('gpus'), width: 70, sortable: true, cell: (m) => dash(m.gpus) },
      { id: 'region', title: fieldTitle('region'), width: 120, sortable: true, cell: (m) => dash(m.region) },
      { id: 'gpuModel', title: fieldTitle('gpuModel'), width: 120, cell: (m) => dash(m.gpuModel) },
      {
        id: 'architectures',
        title: fieldTitle('architectures'),
        width: 120,
        cell: (m) => dash(m.architectures?.join(', ')),
      },
    ],
    [language],
  );
}

/** Beside has one column for each machine. What is best in a row stands out. */
function Beside({ machines, columns }: { machines: Machine[]; columns: Column<Machine>[] }) {
  const { t } = useTranslation();
  const cheapest = Math.min(...machines.map((m) => m.price ?? Number.POSITIVE_INFINITY));
  return (
    <Stack>
      <Table.ScrollContainer minWidth={400}>
        <Table withColumnBorders verticalSpacing={6}>
          <Table.Tbody>
            {columns.map((c) => (
              <Table.Tr key={c.id}>
                <Table.Th scope="row">{c.title}</Table.Th>
                {machines.map((m) => (
                  <Table.Td key={`${m.connection}/${m.name}`}>
                    {c.cell(m)}
                    {c.id === 'price' && m.price === cheapest && (
                      <Badge ml={6} color="teal" variant="light" tt="none">
                        {t('compare.cheapest')}
                      </Badge>
                    )}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <Text size="xs" c="dimmed">
        {t('compare.note')}
      </Text>
    </Stack>
  );
}
