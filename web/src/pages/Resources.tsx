import { ActionIcon, Button, Group, Menu, Select, Stack, Text } from '@mantine/core';
import { IconDownload, IconPlus, IconRefresh, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useCallback, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Search } from '../address';
import {
  all,
  connectionsQuery,
  countsQuery,
  type Kind,
  kindsQuery,
  type ListQuery,
  type Resource,
  resourcesPath,
  usePages,
} from '../api/queries';
import { useMay } from '../api/rights';
import { kindTitle, kindTitles, verbTitle } from '../i18n/words';
import { everything } from '../model/rights';
import { read } from '../model/schema';
import { ColumnsMenu, DataTable, type Selection, useColumns } from '../table/DataTable';
import { csv, download } from '../table/export';
import { FilterBar } from '../table/FilterBar';
import { GroupBy, Groups } from '../table/Groups';
import { ViewsMenu } from '../table/ViewsMenu';
import { Bulk, type BulkVerb } from './Bulk';
import { CreateDrawer } from './CreateDrawer';
import { resourceColumns, resourceFilters } from './columns';
import { KindIcon } from './icons';
import { NotFound } from './NotFound';
import { Failure, Head } from './parts';

const route = getRouteApi('/resources/$plural');

/** Resources is the list of any kind. */
export function Resources() {
  const { plural } = route.useParams();
  const { data: kinds = [] } = useQuery(kindsQuery);
  const kind = kinds.find((k) => k.plural === plural);
  return kind ? <List key={kind.name} kind={kind} /> : <NotFound />;
}

function List({ kind }: { kind: Kind }) {
  const { t, i18n } = useTranslation();
  const { connection, filter = [], sort, q, group, create } = route.useSearch();
  const go = useNavigate();
  const { data: connections } = useQuery(connectionsQuery);
  const search = useCallback(
    (change: Partial<Search>) => void go({ to: '.', search: (old: Search) => ({ ...old, ...change }), replace: true }),
    [go],
  );
  const query = { connection, filter, sort, q };
  const pages = usePages<Resource>(['resources', kind.plural], resourcesPath(kind.plural, connection), query);
  const { data: counted } = useQuery({ ...countsQuery(kind.plural, '', query), enabled: pages.hasNextPage });
  const rows = useMemo(() => pages.data?.pages.flatMap((p) => p.items) ?? [], [pages.data]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: titles follow the language
  const columns = useMemo(() => resourceColumns(kind), [kind, i18n.language]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: as above
  const fields = useMemo(() => resourceFilters(kind), [kind, i18n.language]);
  const [selection, setSelection] = useState<Selection>({});
  const [verb, setVerb] = useState<BulkVerb>();
  const may = useMay();
  const chosen = useMemo(() => rows.filter((r) => selection[r.uid]), [rows, selection]);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = pages;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);

  return (
    <div className="page">
      <Head
        title={kindTitles(kind)}
        icon={<KindIcon kind={kind.name} size={20} />}
        aside={
          <Text size="sm" c="dimmed" aria-live="polite">
            {t(hasNextPage ? 'table.countMore' : 'table.count', {
              count: rows.length,
              number: rows.length.toLocaleString(i18n.language),
              total: counted?.total.toLocaleString(i18n.language) ?? '…',
            })}
          </Text>
        }
        actions={
          may('create', kind.name) && (
            <Button size="xs" leftSection={<IconPlus size={14} />} onClick={() => search({ create: true })}>
              {t('resource.createOne', { kind: kindTitle(kind) })}
            </Button>
          )
        }
      />
      <Group gap={6} wrap="nowrap">
        <Select
          size="xs"
          w={170}
          placeholder={t('table.allConnections')}
          aria-label={t('table.connection')}
          data={connections?.map((c) => c.name) ?? []}
          value={connection ?? null}
          onChange={(c) => search({ connection: c ?? undefined })}
          clearable
          searchable
        />
        <FilterBar
          key={kind.name}
          fields={fields}
          filters={filter}
          onChange={(f) => search({ filter: f })}
          search={{ words: q ?? '', onChange: (words) => search({ q: words || undefined }) }}
        />
        <Group gap={6} wrap="nowrap">
          <GroupBy value={group} onChange={(g) => search({ group: g })} />
          <ViewsMenu
            table={kind.name}
            current={{ connection, filter, sort, q, group }}
            onShow={(view) =>
              search({ connection: undefined, filter: [], sort: undefined, q: undefined, group: undefined, ...view })
            }
          />
          <ActionIcon
            variant="default"
            size={30}
            aria-label={t('common.refresh')}
            data-refresh
            loading={pages.isRefetching}
            onClick={() => void pages.refetch()}
          >
            <IconRefresh size={16} />
          </ActionIcon>
          <Export kind={kind} query={query} />
          <ColumnsMenu name={kind.name} columns={columns} />
        </Group>
      </Group>
      {chosen.length > 0 && (
        <Group gap={6} role="toolbar" aria-label={t('bulk.toolbar')}>
          <Text size="sm">{t('bulk.chosen', { count: chosen.length })}</Text>
          {kind.actions
            .filter((a) => !a.params && may(a.name, kind.name))
            .map((a) => (
              <Button
                key={a.name}
                size="compact-sm"
                variant="default"
                onClick={() => setVerb({ name: a.name, action: a })}
              >
                {verbTitle(a.name)}
              </Button>
            ))}
          {may('release', kind.name) && (
            <Button size="compact-sm" variant="default" onClick={() => setVerb({ name: 'release' })}>
              {verbTitle('release')}
            </Button>
          )}
          {may('delete', kind.name) && (
            <Button
              size="compact-sm"
              color="red"
              variant="light"
              leftSection={<IconTrash size={14} />}
              onClick={() => setVerb({ name: 'delete' })}
            >
              {verbTitle('delete')}
            </Button>
          )}
          <Button size="compact-sm" variant="subtle" color="gray" onClick={() => setSelection({})}>
            {t('bulk.none')}
          </Button>
        </Group>
      )}
      {pages.error && <Failure error={pages.error} onRetry={() => void pages.refetch()} />}
      <div className="beside">
        {group && <Groups plural={kind.plural} field={group} query={query} onFilter={(f) => search({ filter: f })} />}
        <DataTable
          name={kind.name}
          label={kindTitles(kind)}
          rows={rows}
          rowId={(r) => r.uid}
          columns={columns}
          sort={sort}
          onSort={(s) => search({ sort: s })}
          selection={selection}
          onSelection={setSelection}
          onOpen={(r) =>
            void go({
              to: '/resources/$plural/$connection/$name',
              params: { plural: kind.plural, connection: r.connection, name: r.name },
            })
          }
          more={more}
          loading={pages.isPending || isFetchingNextPage}
          empty={
            <Empty
              kind={kind}
              filtered={filter.length > 0 || q !== undefined}
              anyConnection={connections?.length !== 0}
              onClear={() => search({ filter: [], q: undefined })}
              onCreate={() => search({ create: true })}
            />
          }
        />
      </div>
      <CreateDrawer
        kind={kind}
        opened={create === true && may('create', kind.name)}
        connection={connection}
        onClose={() => search({ create: undefined })}
      />
      <Bulk
        kind={kind}
        verb={verb}
        chosen={chosen}
        onClose={() => setVerb(undefined)}
        onDone={() => setSelection({})}
      />
    </div>
  );
}

/** Empty teaches the next step. */
function Empty({
  kind,
  filtered,
  anyConnection,
  onClear,
  onCreate,
}: {
  kind: Kind;
  filtered: boolean;
  anyConnection: boolean;
  onClear: () => void;
  onCreate: () => void;
}) {
  const { t } = useTranslation();
  const go = useNavigate();
  const may = useMay();
  if (filtered) {
    return (
      <Stack align="center" gap="xs">
        {t('empty.filtered')}
        <Button size="xs" variant="default" onClick={onClear}>
          {t('empty.clear')}
        </Button>
      </Stack>
    );
  }
  return (
    <Stack align="center" gap="xs">
      <KindIcon kind={kind.name} size={32} />
      <span>{kind.doc}</span>
      <span>{anyConnection ? t('empty.none', { kind: kindTitle(kind) }) : t('empty.noConnection')}</span>
      {anyConnection && may('create', kind.name) && (
        <Button size="xs" onClick={onCreate}>
          {t('resource.createOne', { kind: kindTitle(kind) })}
        </Button>
      )}
      {!anyConnection && may('create', 'connection', everything) && (
        <Button size="xs" onClick={() => void go({ to: '/setup' })}>
          {t('setup.title')}
        </Button>
      )}
    </Stack>
  );
}

function Export({ kind, query }: { kind: Kind; query: ListQuery }) {
  const { t } = useTranslation();
  const columns = resourceColumns(kind);
  const { order, visible } = useColumns(kind.name, columns);
  const [busy, setBusy] = useState(false);
  const save = async (format: 'csv' | 'json') => {
    setBusy(true);
    try {
      const items = await all<Resource>(resourcesPath(kind.plural, query.connection), query, 100_000);
      if (format === 'json') return download(`${kind.plural}.json`, 'application/json', JSON.stringify(items, null, 2));
      const ids = order.filter((id) => visible[id]);
      const text = csv(
        ids,
        items.map((r) => ids.map((id) => read(r, id.split('.')))),
      );
      return download(`${kind.plural}.csv`, 'text/csv', text);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="default" size={30} loading={busy} aria-label={t('table.export')}>
          <IconDownload size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => void save('csv')}>{t('table.csv')}</Menu.Item>
        <Menu.Item onClick={() => void save('json')}>{t('table.json')}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
