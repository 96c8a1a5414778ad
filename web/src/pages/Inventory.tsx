import { Alert, Badge, Button, Group, SegmentedControl, Select, Tabs, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Search } from '../address';
import { ApiError, client, data, type Schemas, send } from '../api/client';
import { connectionsQuery, kindsQuery, resourcesPath } from '../api/queries';
import { useMay } from '../api/rights';
import { useKey, withKey } from '../form/key';
import { fieldTitle, kindTitle, verbTitle } from '../i18n/words';
import { type Column, DataTable, type Selection } from '../table/DataTable';
import { Extensions } from './Extensions';
import { Failure, Head, ResourceLink, State } from './parts';

type Item = Schemas['InventoryItem'];

const route = getRouteApi('/connections/$connection');
const places = ['all', 'both', 'cloud', 'other', 'here', 'kept'] as const;
const colors = { both: 'teal', cloud: 'blue', other: 'gray', here: 'orange', kept: 'grape' } as const;
const idOf = (i: Item) => `${i.kind}/${i.cloudId ?? ''}/${i.name ?? ''}`;

/** ConnectionPage is a connection: what its cloud has, and what only its cloud can do. */
export function ConnectionPage() {
  const { t } = useTranslation();
  const { connection } = route.useParams();
  const { tab = 'inventory' } = route.useSearch();
  const go = useNavigate();
  const may = useMay();
  const { data: connections } = useQuery(connectionsQuery);
  const own = connections?.find((c) => c.name === connection);
  return (
    <div className="page">
      <Head
        title={connection}
        aside={
          <Text size="sm" c="dimmed">
            {[own?.cloud, own?.region, own?.zone].filter(Boolean).join(' · ')}
          </Text>
        }
      />
      <Tabs
        value={tab}
        onChange={(v) =>
          void go({
            to: '.',
            search: (old: Search) => ({ ...old, tab: v === 'inventory' ? undefined : (v ?? undefined) }),
            replace: true,
          })
        }
      >
        <Tabs.List>
          <Tabs.Tab value="inventory">{t('inventory.title')}</Tabs.Tab>
          {(may('extend', 'connection', connection) || may('native', 'connection', connection)) && (
            <Tabs.Tab value="extensions">{t('extension.title')}</Tabs.Tab>
          )}
        </Tabs.List>
      </Tabs>
      {tab === 'extensions' ? (
        <div className="grow page-scroll">
          <Extensions connection={connection} />
        </div>
      ) : (
        <Inventory connection={connection} />
      )}
    </div>
  );
}

/** Inventory compares a connection's cloud with what is recorded here. */
function Inventory({ connection }: { connection: string }) {
  const { t, i18n } = useTranslation();
  const { kind } = route.useSearch();
  const go = useNavigate();
  const queries = useQueryClient();
  const { data: kinds = [] } = useQuery(kindsQuery);
  const [where, setWhere] = useState<(typeof places)[number]>('all');
  const [selection, setSelection] = useState<Selection>({});
  const inventory = useQuery({
    queryKey: ['inventory', connection, kind],
    staleTime: 0,
    queryFn: ({ signal }) =>
      data(
        client.GET('/v1/connections/{connection}/inventory', {
          params: { path: { connection }, query: { kind } },
          signal,
        }),
      ),
  });
  const rows = useMemo(
    () => inventory.data?.items.filter((i) => where === 'all' || i.where === where) ?? [],
    [inventory.data, where],
  );
  const may = useMay();
  const chosen = rows.filter((i) => selection[idOf(i)] && i.where === 'cloud' && may('adopt', i.kind, connection));
  const plural = (name: string) => kinds.find((k) => k.name === name)?.plural ?? `${name}s`;
  const key = useKey();
  const done = () => {
    setSelection({});
    void queries.invalidateQueries({ queryKey: ['inventory'] });
    void queries.invalidateQueries({ queryKey: ['resources'] });
  };
  const unseen = (u: Schemas['Unseen']) => t('inventory.unseen', { kind: u.kind, reason: u.error.message });
  const failed = (e: Error) =>
    notifications.show({ color: 'red', title: verbTitle('adopt'), message: e.message, autoClose: 15_000 });
  const adopt = useMutation({
    mutationFn: async (items: Item[]) => {
      // What is used comes before what uses it.
      const order = new Map(kinds.map((k, i) => [k.name, i]));
      const sorted = [...items].sort((a, b) => (order.get(a.kind) ?? 0) - (order.get(b.kind) ?? 0));
      const once = key(sorted.map((i) => [i.kind, i.cloudId]));
      for (const [n, i] of sorted.entries()) {
        const path = `${resourcesPath(plural(i.kind), connection)}:adopt`;
        await send('POST', path, { cloudId: i.cloudId }, { key: `${once}-${n}` }).catch((e: unknown) => {
          // It has come with what it is a part of.
          if (!(e instanceof ApiError && e.problem?.code === 'already_exists')) throw e;
        });
      }
    },
    onSuccess: key.renew,
    onError: failed,
    onSettled: done,
  });
  const everything = useMutation({
    mutationFn: () => {
      const path = { params: { path: { connection } } };
      return data(client.POST('/v1/connections/{connection}:adopt', { ...path, ...withKey(key('everything')) }));
    },
    onSuccess: (r) => {
      key.renew();
      notifications.show({ color: 'teal', message: t('inventory.adopted', { count: r.items.length }) });
      for (const u of r.unseen ?? []) failed(new Error(unseen(u)));
    },
    onError: failed,
    onSettled: done,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: titles follow the language
  const columns = useMemo((): Column<Item>[] => {
    const title = (name: string) => {
      const k = kinds.find((x) => x.name === name);
      return k ? kindTitle(k) : name;
    };
    return [
      { id: 'kind', title: fieldTitle('kind'), width: 150, cell: (i) => title(i.kind) },
      {
        id: 'where',
        title: t('inventory.where'),
        width: 170,
        cell: (i) => (
          <Badge variant="dot" color={colors[i.where]} tt="none">
            {t(`inventory.${i.where}`)}
          </Badge>
        ),
      },
      {
        id: 'name',
        title: fieldTitle('name'),
        width: 200,
        cell: (i) =>
          i.name ? <ResourceLink kind={i.kind} connection={i.connection ?? connection} name={i.name} /> : '',
      },
      { id: 'cloudName', title: t('inventory.cloudName'), width: 200, cell: (i) => i.cloudName },
      {
        id: 'cloudId',
        title: fieldTitle('cloudId'),
        width: 240,
        cell: (i) => <span className="mono">{i.cloudId}</span>,
      },
      { id: 'state', title: fieldTitle('state'), width: 130, cell: (i) => <State state={i.state} /> },
    ];
  }, [kinds, connection, i18n.language]);
  return (
    <>
      <Group gap="sm">
        <SegmentedControl
          size="xs"
          value={where}
          onChange={(v) => setWhere(v as typeof where)}
          data={places.map((p) => ({ value: p, label: t(`inventory.${p}`) }))}
        />
        <Select
          size="xs"
          w={180}
          placeholder={t('inventory.allKinds')}
          aria-label={fieldTitle('kind')}
          data={kinds.map((k) => ({ value: k.name, label: kindTitle(k) }))}
          value={kind ?? null}
          onChange={(k) =>
            void go({ to: '.', search: (old: Search) => ({ ...old, kind: k ?? undefined }), replace: true })
          }
          clearable
        />
        {chosen.length > 0 && (
          <Button size="xs" loading={adopt.isPending} onClick={() => adopt.mutate(chosen)}>
            {t('inventory.adopt', { count: chosen.length })}
          </Button>
        )}
        <Text size="xs" c="dimmed" flex={1}>
          {t('inventory.doc')}
        </Text>
        <Button size="xs" variant="default" loading={inventory.isFetching} onClick={() => void inventory.refetch()}>
          {t('inventory.again')}
        </Button>
        {may('adopt', 'resource', connection) && (
          <Button
            size="xs"
            variant="default"
            loading={everything.isPending}
            onClick={() => everything.mutate()}
            title={t('inventory.adoptAllDoc')}
          >
            {t('inventory.adoptAll')}
          </Button>
        )}
      </Group>
      {inventory.error && <Failure error={inventory.error} onRetry={() => void inventory.refetch()} />}
      {inventory.data?.unseen?.map((u) => (
        <Alert key={u.kind} color="yellow" variant="light">
          {unseen(u)}
        </Alert>
      ))}
      <DataTable
        name="inventory"
        label={t('inventory.title')}
        rows={rows}
        rowId={idOf}
        columns={columns}
        selection={selection}
        onSelection={setSelection}
        loading={inventory.isPending}
        empty={t('inventory.empty')}
      />
    </>
  );
}
