import { Anchor, Group, Loader, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useCallback, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { Search } from '../address';
import { kindsQuery, type Operation, operationQuery, usePages } from '../api/queries';
import { fieldTitle, kindTitle, verbTitle } from '../i18n/words';
import { type Column, ColumnsMenu, DataTable } from '../table/DataTable';
import { FilterBar } from '../table/FilterBar';
import { OperationCard } from './OperationCard';
import { Ago, Failure, Head, ResourceLink, State } from './parts';

const list = getRouteApi('/operations');
const one = getRouteApi('/operations/$id');

/** Operations is the history of all changes. */
export function Operations() {
  const { t, i18n } = useTranslation();
  const { filter = [], sort } = list.useSearch();
  const go = useNavigate();
  const { data: kinds = [] } = useQuery(kindsQuery);
  const search = (change: Partial<Search>) =>
    void go({ to: '.', search: (old: Search) => ({ ...old, ...change }), replace: true });
  const pages = usePages<Operation>(['operations'], '/v1/operations', { filter, sort });
  const rows = useMemo(() => pages.data?.pages.flatMap((p) => p.items) ?? [], [pages.data]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: titles follow the language
  const columns = useMemo((): Column<Operation>[] => {
    const title = (kind: string) => {
      const k = kinds.find((x) => x.name === kind);
      return k ? kindTitle(k) : kind;
    };
    return [
      {
        id: 'verb',
        title: fieldTitle('verb'),
        width: 130,
        sortable: true,
        cell: (o) => (
          <Anchor component={Link} inherit fw={500} to="/operations/$id" params={{ id: o.id } as never}>
            {verbTitle(o.verb)}
          </Anchor>
        ),
      },
      {
        id: 'state',
        title: fieldTitle('state'),
        width: 130,
        sortable: true,
        cell: (o) => <State state={o.state} detail={o.error?.message} />,
      },
      { id: 'kind', title: fieldTitle('kind'), width: 130, sortable: true, cell: (o) => title(o.kind) },
      {
        id: 'name',
        title: fieldTitle('name'),
        width: 200,
        sortable: true,
        cell: (o) => <ResourceLink kind={o.kind} connection={o.connection} name={o.name} />,
      },
      { id: 'connection', title: fieldTitle('connection'), width: 130, sortable: true, cell: (o) => o.connection },
      {
        id: 'items',
        title: t('operation.items'),
        width: 110,
        cell: (o) => (o.items ? t('operation.progress', { ...o.items }) : ''),
      },
      {
        id: 'error',
        title: t('operation.reason'),
        width: 280,
        cell: (o) => (o.error ? `${o.error.code}: ${o.error.message}` : (o.pending ?? '')),
      },
      { id: 'attempts', title: fieldTitle('attempts'), width: 90, shown: false, cell: (o) => o.attempts },
      {
        id: 'createdAt',
        title: fieldTitle('createdAt'),
        width: 130,
        sortable: true,
        cell: (o) => <Ago time={o.createdAt} />,
      },
      {
        id: 'endedAt',
        title: fieldTitle('endedAt'),
        width: 130,
        sortable: true,
        cell: (o) => <Ago time={o.endedAt} />,
      },
    ];
  }, [kinds, i18n.language]);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = pages;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const fields = [
    { id: 'state', title: fieldTitle('state'), options: ['queued', 'running', 'succeeded', 'failed', 'cancelled'] },
    { id: 'verb', title: fieldTitle('verb') },
    { id: 'kind', title: fieldTitle('kind'), options: kinds.map((k) => k.name) },
    { id: 'connection', title: fieldTitle('connection') },
    { id: 'parent', title: t('operation.parent') },
  ];
  return (
    <div className="page">
      <Head title={t('nav.operations')} actions={<ColumnsMenu name="operations" columns={columns} />} />
      <Group>
        <FilterBar fields={fields} filters={filter} onChange={(f) => search({ filter: f })} />
      </Group>
      {pages.error && <Failure error={pages.error} onRetry={() => void pages.refetch()} />}
      <DataTable
        name="operations"
        label={t('nav.operations')}
        rows={rows}
        rowId={(o) => o.id}
        columns={columns}
        sort={sort}
        onSort={(s) => search({ sort: s })}
        onOpen={(o) => void go({ to: '/operations/$id', params: { id: o.id } })}
        more={more}
        loading={pages.isPending || isFetchingNextPage}
        empty={filter.length > 0 ? t('empty.filtered') : t('operation.none')}
      />
    </div>
  );
}

export function OperationDetail() {
  const { t } = useTranslation();
  const { id } = one.useParams();
  const { data: o, error, isPending, refetch } = useQuery(operationQuery(id));
  const parts = usePages<Operation>(
    ['operations'],
    '/v1/operations',
    { filter: [`parent=${id}`] },
    o?.items !== undefined,
  );
  const items = parts.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <div className="page page-scroll">
      <Head
        title={o ? `${verbTitle(o.verb)} · ${o.name}` : t('nav.operations')}
        aside={
          <Text size="sm" c="dimmed" className="mono">
            {id}
          </Text>
        }
      />
      {error && <Failure error={error} onRetry={() => void refetch()} />}
      {isPending && <Loader size="sm" />}
      {o && (
        <Stack maw={720}>
          <OperationCard operation={o} full />
          {o.parent && (
            <Anchor component={Link} to="/operations/$id" params={{ id: o.parent } as never} size="sm">
              {t('operation.parent')}
            </Anchor>
          )}
          {items.length > 0 && (
            <Title order={2} fz="sm">
              {t('operation.items')}
            </Title>
          )}
          {items.map((x) => (
            <OperationCard key={x.id} operation={x} />
          ))}
        </Stack>
      )}
    </div>
  );
}
