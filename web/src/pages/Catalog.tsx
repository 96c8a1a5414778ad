import { Group, Select, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useCallback, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { Search } from '../address';
import { type Catalog, catalogsQuery, connectionsQuery, useCatalogPages, useDrivers } from '../api/queries';
import { useMay } from '../api/rights';
import { catalogTitles, fieldTitle } from '../i18n/words';
import { leaves, read } from '../model/schema';
import { type Column, ColumnsMenu, DataTable } from '../table/DataTable';
import { FilterBar } from '../table/FilterBar';
import { NotFound } from './NotFound';
import { Failure, Head, Value } from './parts';

type Entry = Record<string, unknown>;

const route = getRouteApi('/catalog/$plural');

/** CatalogPage shows what a connection offers to choose from. */
export function CatalogPage() {
  const { plural } = route.useParams();
  const { data: catalogs = [] } = useQuery(catalogsQuery);
  const catalog = catalogs.find((c) => c.plural === plural);
  return catalog ? <Entries key={catalog.name} catalog={catalog} /> : <NotFound />;
}

function Entries({ catalog }: { catalog: Catalog }) {
  const { t, i18n } = useTranslation();
  const { connection, filter = [], sort } = route.useSearch();
  const go = useNavigate();
  const { data: connections = [] } = useQuery(connectionsQuery);
  const { data: drivers = [] } = useDrivers();
  const may = useMay();
  const able = connections.filter(
    (c) =>
      may('read', catalog.name, c.name) && drivers.find((d) => d.name === c.cloud)?.catalogs?.includes(catalog.name),
  );
  const at = connection ?? able[0]?.name ?? '';
  const search = (change: Partial<Search>) =>
    void go({ to: '.', search: (old: Search) => ({ ...old, ...change }), replace: true });
  const pages = useCatalogPages<Entry>(catalog.plural, at, { filter, sort });
  const rows = useMemo(() => pages.data?.pages.flatMap((p) => p.items) ?? [], [pages.data]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: titles follow the language
  const columns = useMemo(
    (): Column<Entry>[] =>
      leaves(catalog.entry).map((f) => ({
        id: f.path.join('.'),
        title: fieldTitle(f.path[0] ?? ''),
        width:
          f.path[0] === 'name' || f.path[0] === 'id' || f.path[0] === 'description' || f.path[0] === 'doc' ? 230 : 130,
        sortable: true,
        cell: (e) => <Value value={read(e, f.path)} schema={f.schema} connection={at} compact />,
      })),
    [catalog, at, i18n.language],
  );
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = pages;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const fields = leaves(catalog.entry).map((f) => ({
    id: f.path.join('.'),
    title: fieldTitle(f.path[0] ?? ''),
    options: f.schema.enum,
  }));
  return (
    <div className="page">
      <Head
        title={catalogTitles(catalog)}
        aside={
          <Text size="sm" c="dimmed">
            {catalog.doc}
          </Text>
        }
        actions={<ColumnsMenu name={`catalog-${catalog.name}`} columns={columns} />}
      />
      <Group gap={6} wrap="nowrap">
        <Select
          size="xs"
          w={170}
          aria-label={t('table.connection')}
          data={able.map((c) => c.name)}
          value={at || null}
          onChange={(c) => search({ connection: c ?? undefined })}
          allowDeselect={false}
          searchable
        />
        <FilterBar fields={fields} filters={filter} onChange={(f) => search({ filter: f })} />
      </Group>
      {pages.error && <Failure error={pages.error} onRetry={() => void pages.refetch()} />}
      <DataTable
        name={`catalog-${catalog.name}`}
        label={catalogTitles(catalog)}
        rows={rows}
        rowId={(e) => String(e.id ?? `${e.name}/${e.zone ?? ''}`)}
        columns={columns}
        sort={sort}
        onSort={(s) => search({ sort: s })}
        more={more}
        loading={at !== '' && (pages.isPending || isFetchingNextPage)}
        empty={
          able.length === 0 ? t('catalog.notOffered') : filter.length > 0 ? t('empty.filtered') : t('catalog.empty')
        }
      />
    </div>
  );
}
