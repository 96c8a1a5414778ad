import {
  Alert,
  Anchor,
  Button,
  Code,
  Group,
  Loader,
  Menu,
  Modal,
  ScrollArea,
  SimpleGrid,
  Stack,
  Tabs,
  Text,
} from '@mantine/core';
import { IconDotsVertical, IconTrash } from '@tabler/icons-react';
import { useMutation, useQueries, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { lazy, type ReactNode, Suspense, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Search } from '../address';
import { send } from '../api/client';
import {
  type Action,
  type Kind,
  kindsQuery,
  list,
  type Operation,
  type Resource,
  resourcePath,
  resourcesPath,
  usePages,
  useResource,
  type View,
} from '../api/queries';
import { useMay, useOffers, useReadable } from '../api/rights';
import { useKey } from '../form/key';
import { showProblems } from '../form/problems';
import { SchemaForm, useSchemaForm } from '../form/SchemaForm';
import { fieldTitle, kindTitle, kindTitles, verbTitle } from '../i18n/words';
import { tray } from '../layout/ongoing';
import { named, references, type Schema, type Values } from '../model/schema';
import { download } from '../table/export';
import { Bulk, type BulkVerb } from './Bulk';
import { KindIcon } from './icons';
import { NotFound } from './NotFound';
import { OperationCard } from './OperationCard';
import { Ago, CloudSays, Failure, Head, Labels, Part, ResourceLink, State, Value } from './parts';

const TerminalPanel = lazy(() => import('./Terminal').then((m) => ({ default: m.TerminalPanel })));

const route = getRouteApi('/resources/$plural/$connection/$name');

/** ResourceDetail is everything about one resource of any kind. */
export function ResourceDetail() {
  const { plural, connection, name } = route.useParams();
  const { data: kinds = [] } = useQuery(kindsQuery);
  const kind = kinds.find((k) => k.plural === plural);
  const { data: r, error, isPending, refetch } = useResource(connection, plural, name);
  if (!kind) return <NotFound />;
  return (
    <div className="page page-scroll">
      {error && <Failure error={error} onRetry={() => void refetch()} />}
      {isPending && <Loader size="sm" />}
      {r && <Shown key={r.uid} kind={kind} r={r} />}
    </div>
  );
}

function Shown({ kind, r }: { kind: Kind; r: Resource }) {
  const { t } = useTranslation();
  const go = useNavigate();
  const { tab = 'overview', run } = route.useSearch();
  const offers = useOffers();
  const [terminal, setTerminal] = useState(false); // once it was looked at, it stays
  if (tab === 'terminal' && !terminal) setTerminal(true);
  const search = (change: Partial<Search>) =>
    void go({ to: '.', search: (old: Search) => ({ ...old, ...change }), replace: true });
  const begin = (name: string) => search({ run: name });
  const close = () => search({ run: undefined });
  const action = kind.actions.find((a) => a.name === run);
  const simple = action ? !action.params : run === 'release' || run === 'delete';
  const verb: BulkVerb | undefined = run && simple ? { name: run, action } : undefined;
  const may = useMay();
  const readable = useReadable(r.connection);
  const has = (what: string) => offers(r.connection, kind.name, what, r.labels);
  const deletes = may('delete', kind.name, r.connection, r.labels);
  const logsIn = kind.login && may('login', kind.name, r.connection, r.labels);
  const views = kind.views.filter((v) => has(v.name));
  return (
    <>
      <Head
        title={r.name}
        icon={<KindIcon kind={kind.name} size={20} />}
        aside={
          <>
            <State state={r.state} detail={r.cloudState} />
            <Text size="sm" c="dimmed">
              <Anchor component={Link} inherit to="/resources/$plural" params={{ plural: kind.plural } as never}>
                {kindTitle(kind)}
              </Anchor>{' '}
              · {r.connection}
            </Text>
          </>
        }
        actions={
          <>
            {kind.actions
              .filter((a) => has(a.name))
              .map((a) => (
                <Button
                  key={a.name}
                  size="xs"
                  variant="default"
                  title={a.doc}
                  disabled={r.operation !== undefined || (a.from.length > 0 && !a.from.includes(r.state as never))}
                  onClick={() => begin(a.name)}
                >
                  {verbTitle(a.name)}
                </Button>
              ))}
            {(has('release') || deletes) && (
              <Menu position="bottom-end">
                <Menu.Target>
                  <Button size="xs" variant="default" px={6} aria-label={t('resource.more')}>
                    <IconDotsVertical size={16} />
                  </Button>
                </Menu.Target>
                <Menu.Dropdown>
                  {has('release') && <Menu.Item onClick={() => begin('release')}>{verbTitle('release')}</Menu.Item>}
                  {deletes && (
                    <Menu.Item color="red" leftSection={<IconTrash size={14} />} onClick={() => begin('delete')}>
                      {verbTitle('delete')}
                    </Menu.Item>
                  )}
                </Menu.Dropdown>
              </Menu>
            )}
          </>
        }
      />
      {r.error && (
        <Alert color="red" title={r.state === 'failed' ? t('resource.failed') : t('resource.changeFailed')}>
          <Stack gap={4}>
            <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
              <Code>{r.error.code}</Code> {r.error.message}
            </Text>
            {r.error.cloud && <CloudSays cloud={r.error.cloud} />}
          </Stack>
        </Alert>
      )}
      <Tabs
        value={tab}
        onChange={(v) => search({ tab: v === 'overview' ? undefined : (v ?? undefined) })}
        keepMounted={false}
        keepMountedMode="display-none" // what is kept goes on: a terminal
      >
        <Tabs.List>
          <Tabs.Tab value="overview">{t('resource.overview')}</Tabs.Tab>
          <Tabs.Tab value="operations">{t('nav.operations')}</Tabs.Tab>
          {views.map((v) => (
            <Tabs.Tab key={v.name} value={`view-${v.name}`}>
              {fieldTitle(v.name)}
            </Tabs.Tab>
          ))}
          {logsIn && <Tabs.Tab value="terminal">{t('terminal.title')}</Tabs.Tab>}
          <Tabs.Tab value="json">JSON</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="overview" pt="md">
          <SimpleGrid cols={{ base: 1, md: 2 }} spacing="xl" verticalSpacing="lg">
            <Part title={fieldTitle('spec')}>
              <Facts value={r.effective} schema={kind.spec} connection={r.connection} />
            </Part>
            <Stack gap="lg">
              <Part title={fieldTitle('status')}>
                <dl className="facts">
                  <dt>{fieldTitle('labels')}</dt>
                  <dd>
                    <Labels labels={r.labels} />
                  </dd>
                </dl>
                <Facts value={r.status} schema={kind.status} connection={r.connection} />
                <dl className="facts">
                  {r.cloudState && <Fact name="cloudState">{r.cloudState}</Fact>}
                  {r.facadeName && <Fact name="facadeName">{r.facadeName}</Fact>}
                  <Fact name="cloudId">
                    <span className="mono">{r.cloudId ?? '–'}</span>
                  </Fact>
                  <Fact name="uid">
                    <span className="mono">{r.uid}</span>
                  </Fact>
                  <Fact name="createdAt">
                    <Ago time={r.createdAt} />
                  </Fact>
                  <Fact name="updatedAt">
                    <Ago time={r.updatedAt} />
                  </Fact>
                  {r.createdBy && <Fact name="createdBy">{r.createdBy}</Fact>}
                  {r.updatedBy && <Fact name="updatedBy">{r.updatedBy}</Fact>}
                  <Fact name="syncedAt">
                    <Ago time={r.syncedAt} />
                  </Fact>
                </dl>
              </Part>
              <Users kinds={readable} of={kind} r={r} />
            </Stack>
          </SimpleGrid>
        </Tabs.Panel>
        <Tabs.Panel value="operations" pt="md">
          <History uid={r.uid} />
        </Tabs.Panel>
        {views.map((v) => (
          <Tabs.Panel key={v.name} value={`view-${v.name}`} pt="md">
            <ViewPanel r={r} plural={kind.plural} view={v} />
          </Tabs.Panel>
        ))}
        {logsIn && (
          <Tabs.Panel value="terminal" pt="md" keepMounted>
            <Suspense fallback={<Loader size="sm" />}>{terminal && <TerminalPanel kind={kind} r={r} />}</Suspense>
          </Tabs.Panel>
        )}
        <Tabs.Panel value="json" pt="md">
          <ScrollArea.Autosize mah="calc(100dvh - 220px)">
            <Code block>{JSON.stringify(r, null, 2)}</Code>
          </ScrollArea.Autosize>
        </Tabs.Panel>
      </Tabs>
      <Bulk kind={kind} verb={verb} chosen={[r]} onClose={close} onDone={() => {}} />
      <Modal
        opened={action?.params !== undefined}
        onClose={close}
        title={action && `${verbTitle(action.name)} · ${r.name}`}
        size="lg"
        closeButtonProps={{ 'aria-label': t('common.close') }}
      >
        {action?.params && <ActionForm kind={kind} r={r} action={action} params={action.params} onDone={close} />}
      </Modal>
    </>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt>{fieldTitle(name)}</dt>
      <dd>{children}</dd>
    </>
  );
}

function Facts({ value, schema, connection }: { value: Record<string, unknown>; schema: Schema; connection: string }) {
  const names = [...new Set([...Object.keys(schema.properties ?? {}), ...Object.keys(value ?? {})])];
  return (
    <dl className="facts">
      {names.map((n) => (
        <Fact key={n} name={n}>
          <Value value={value?.[n]} schema={schema.properties?.[n]} connection={connection} />
        </Fact>
      ))}
    </dl>
  );
}

/** Users shows what refers to a resource: that is known from the schemas of all kinds. */
function Users({ kinds, of, r }: { kinds: Kind[]; of: Kind; r: Resource }) {
  const { t } = useTranslation();
  const from = kinds.flatMap((k) => {
    const paths = references(k.spec)
      .filter((x) => x.kind === of.name)
      .map((x) => x.path);
    return paths.length > 0 ? [{ kind: k, paths }] : [];
  });
  const found = useQueries({
    queries: from.flatMap(({ kind, paths }) =>
      paths.map((path) => ({
        queryKey: ['used-by', kind.plural, path.join('.'), r.connection, r.name],
        queryFn: async ({ signal }: { signal: AbortSignal }) => {
          const filter = [`effective.${path[0]}~${r.name}`];
          const page = await list<Resource>(
            resourcesPath(kind.plural, r.connection),
            { filter },
            undefined,
            signal,
            100,
          );
          return page.items.filter((x) => named(x.effective, path).includes(r.name));
        },
        staleTime: 5000,
      })),
    ),
  });
  const users = [...new Map(found.flatMap((q) => q.data ?? []).map((x) => [x.uid, x])).values()];
  if (from.length === 0) return null;
  return (
    <Part title={t('resource.usedBy')}>
      {users.length === 0 && (
        <Text size="sm" c="dimmed">
          {found.some((q) => q.isPending) ? t('common.loading') : t('resource.unused')}
        </Text>
      )}
      {from.map(({ kind }) => {
        const own = users.filter((u) => u.kind === kind.name);
        return own.length === 0 ? null : (
          <Stack key={kind.name} gap={4}>
            <Text size="xs" c="dimmed">
              {kindTitles(kind)} · {own.length}
            </Text>
            <Group gap="xs">
              {own.map((u) => (
                <Group key={u.uid} gap={4}>
                  <KindIcon kind={u.kind} size={14} />
                  <Text size="sm">
                    <ResourceLink kind={u.kind} connection={u.connection} name={u.name} />
                  </Text>
                </Group>
              ))}
            </Group>
          </Stack>
        );
      })}
    </Part>
  );
}

function History({ uid }: { uid: string }) {
  const { t } = useTranslation();
  const pages = usePages<Operation>(['operations'], '/v1/operations', { filter: [`uid=${uid}`] });
  const operations = pages.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Stack gap="sm" maw={640}>
      {pages.error && <Failure error={pages.error} />}
      {operations.length === 0 && !pages.isPending && <Text c="dimmed">{t('operation.none')}</Text>}
      {operations.map((o) => (
        <OperationCard key={o.id} operation={o} full />
      ))}
      {pages.hasNextPage && (
        <Button variant="default" size="xs" onClick={() => void pages.fetchNextPage()}>
          {t('common.more')}
        </Button>
      )}
    </Stack>
  );
}

/** ViewPanel asks the cloud for a view, such as a kubeconfig, and offers it as a file. */
function ViewPanel({ r, plural, view }: { r: Resource; plural: string; view: View }) {
  const { t } = useTranslation();
  const [query, setQuery] = useState('');
  const { data, error, isFetching, refetch } = useQuery({
    queryKey: ['view', plural, r.uid, view.name, query],
    queryFn: () => send<Record<string, unknown>>('GET', `${resourcePath(r, plural)}/${view.name}${query}`),
    gcTime: 0,
    retry: false,
  });
  const plain = view.plain ? data?.[view.plain] : undefined;
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed">
        {view.doc}
      </Text>
      {view.params && (
        <ViewForm
          r={r}
          view={view}
          params={view.params}
          pending={isFetching}
          onSubmit={(asked) => (asked === query ? void refetch() : setQuery(asked))}
        />
      )}
      {error && <Failure error={error} onRetry={() => void refetch()} />}
      {isFetching && <Loader size="sm" />}
      {plain !== undefined ? (
        <>
          <Group>
            <Button
              size="xs"
              onClick={() =>
                download(
                  `${r.name}-${view.name}.${view.name === 'kubeconfig' ? 'yaml' : 'txt'}`,
                  'text/plain',
                  String(plain),
                )
              }
            >
              {t('resource.download')}
            </Button>
          </Group>
          <Code block>{String(plain)}</Code>
        </>
      ) : (
        data && <Facts value={data} schema={view.answer} connection={r.connection} />
      )}
    </Stack>
  );
}

/** ViewForm asks for a view's parameters, and gives them as the query of an address. */
function ViewForm({
  r,
  view,
  params,
  pending,
  onSubmit,
}: {
  r: Resource;
  view: View;
  params: Schema;
  pending: boolean;
  onSubmit: (query: string) => void;
}) {
  const { t } = useTranslation();
  const form = useSchemaForm(params);
  return (
    <SchemaForm
      form={form}
      schema={params}
      place={{ connection: r.connection, owner: `${r.kind}:${view.name}` }}
      submit={t('common.refresh')}
      pending={pending}
      onSubmit={(values) => {
        const query = new URLSearchParams(Object.entries(values).map(([name, value]) => [name, String(value)]));
        onSubmit(query.size > 0 ? `?${query}` : '');
      }}
    />
  );
}

function ActionForm({
  kind,
  r,
  action,
  params,
  onDone,
}: {
  kind: Kind;
  r: Resource;
  action: Action;
  params: Schema;
  onDone: () => void;
}) {
  const form = useSchemaForm(params);
  const key = useKey();
  const act = useMutation({
    mutationFn: (values: Values) =>
      send<Operation>('POST', `${resourcePath(r, kind.plural)}:${action.name}`, values, { key: key(values) }),
    onSuccess: (o) => {
      key.renew();
      tray.start(o);
      onDone();
    },
    onError: (e) => showProblems(form, e),
  });
  return (
    <SchemaForm
      form={form}
      schema={params}
      place={{ connection: r.connection, owner: `${kind.name}:${action.name}` }}
      error={act.error}
      submit={verbTitle(action.name)}
      pending={act.isPending}
      onSubmit={(values) => act.mutate(values)}
    >
      <Text size="sm" c="dimmed">
        {action.doc}
      </Text>
    </SchemaForm>
  );
}
