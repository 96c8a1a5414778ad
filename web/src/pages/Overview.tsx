import { Alert, Anchor, Button, Card, Group, List, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { useQueries, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import {
  connectionsQuery,
  countsQuery,
  credentialsQuery,
  list,
  type Operation,
  type Resource,
  resourcesPath,
  useDrivers,
  usePages,
} from '../api/queries';
import { meQuery, useMay, useReadable } from '../api/rights';
import { kindTitle, kindTitles } from '../i18n/words';
import { TourOffer } from '../layout/Tour';
import { expiry } from '../model/expiry';
import { everything } from '../model/rights';
import { KindIcon } from './icons';
import { OperationCard } from './OperationCard';
import { Expires, Failure, Head, ResourceLink, State } from './parts';
import { Regions } from './Regions';

/** Overview says how things are: what there is, what failed, what goes on. */
export function Overview() {
  const { t, i18n } = useTranslation();
  const may = useMay();
  const connects = may('create', 'connection', everything);
  const kinds = useReadable();
  const { data: me } = useQuery(meQuery);
  const { data: connections, error } = useQuery({ ...connectionsQuery, enabled: may('read', 'connection') });
  const { data: drivers = [] } = useDrivers();
  const counts = useQueries({ queries: kinds.map((k) => countsQuery(k.plural, 'connection')) });
  const failures = useQueries({
    queries: kinds.map((k) => ({
      queryKey: ['resources', k.plural, { filter: ['state=failed'], overview: true }],
      queryFn: async ({ signal }: { signal: AbortSignal }) => ({
        pages: [await list<Resource>(resourcesPath(k.plural), { filter: ['state=failed'] }, undefined, signal, 20)],
        pageParams: [''],
      }),
    })),
  });
  const operations = usePages<Operation>(['operations'], '/v1/operations', { filter: [] }, kinds.length > 0);
  const recent = (operations.data?.pages[0]?.items ?? []).filter((o) => !o.parent).slice(0, 5);
  const failed = failures.flatMap((q) => q.data?.pages[0]?.items ?? []);
  const offered = new Set(
    drivers
      .filter((d) => connections?.some((c) => c.cloud === d.name))
      .flatMap((d) => d.kinds?.map((k) => k.name) ?? []),
  );
  return (
    <div className="page page-scroll">
      <Head title={t('nav.overview')} />
      {me?.rights.length === 0 ? (
        <Alert color="orange">{t('account.nothing')}</Alert>
      ) : (
        error && <Failure error={error} />
      )}
      {connections?.length === 0 && connects && <Welcome />}
      <Ending />
      <TourOffer />
      <SimpleGrid cols={{ base: 2, sm: 3, lg: 6 }} spacing="sm">
        {kinds.map((k, i) => {
          const total = counts[i]?.data?.total;
          if (!offered.has(k.name) && !total) return null;
          return (
            <Card
              key={k.name}
              component={Link}
              to={`/resources/${k.plural}`}
              withBorder
              padding="sm"
              aria-label={kindTitles(k)}
            >
              <Group gap={6} c="dimmed" wrap="nowrap">
                <KindIcon kind={k.name} />
                <Text size="xs" truncate>
                  {kindTitles(k)}
                </Text>
              </Group>
              <Text fz={26} fw={650} lh={1.3}>
                {total?.toLocaleString(i18n.language) ?? '…'}
              </Text>
            </Card>
          );
        })}
      </SimpleGrid>
      <Regions
        connections={connections ?? []}
        drivers={drivers}
        counts={kinds.map((kind, i) => ({ kind, counts: counts[i]?.data }))}
      />
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg" mt="xs">
        <Stack gap="xs" component="section">
          <Title order={2} fz="sm">
            {t('overview.connections')}
          </Title>
          {connections?.map((c) => (
            <Card key={c.name} withBorder padding="xs">
              <Group justify="space-between">
                <Anchor
                  component={Link}
                  to="/connections/$connection"
                  params={{ connection: c.name } as never}
                  size="sm"
                  fw={550}
                >
                  {c.name}
                </Anchor>
                <Text size="sm" c="dimmed">
                  {[drivers.find((d) => d.name === c.cloud)?.title ?? c.cloud, c.region].filter(Boolean).join(' · ')}
                </Text>
              </Group>
            </Card>
          ))}
          {connects && (
            <Group>
              <Button component={Link} to="/setup" size="xs" variant="default">
                {t('setup.title')}
              </Button>
            </Group>
          )}
          <Title order={2} fz="sm" mt="md">
            {t('overview.failed')}
          </Title>
          {failed.length === 0 && (
            <Text size="sm" c="dimmed">
              {t('overview.nothingFailed')}
            </Text>
          )}
          {failed.slice(0, 20).map((r) => (
            <Card key={r.uid} withBorder padding="xs">
              <Group gap={6} wrap="nowrap">
                <KindIcon kind={r.kind} />
                <Text size="sm">
                  <ResourceLink kind={r.kind} connection={r.connection} name={r.name} />
                </Text>
                <State state={r.state} />
                <Text size="xs" c="dimmed" truncate>
                  {kinds.filter((k) => k.name === r.kind).map(kindTitle)} · {r.error?.message}
                </Text>
              </Group>
            </Card>
          ))}
        </Stack>
        <Stack gap="xs" component="section">
          <Title order={2} fz="sm">
            {t('overview.recent')}
          </Title>
          {recent.length === 0 && (
            <Text size="sm" c="dimmed">
              {t('operation.none')}
            </Text>
          )}
          {recent.map((o) => (
            <OperationCard key={o.id} operation={o} />
          ))}
        </Stack>
      </SimpleGrid>
    </div>
  );
}

/** Ending tells of credentials that have run out, or soon will. */
function Ending() {
  const { t } = useTranslation();
  const may = useMay();
  const { data: credentials = [] } = useQuery({ ...credentialsQuery, enabled: may('read', 'credential', everything) });
  const ending = credentials.filter((c) => expiry(c.expiresAt));
  if (ending.length === 0) return null;
  return (
    <Alert color="orange" title={t('expiry.credentials')}>
      <Stack gap={4}>
        {ending.map((c) => (
          <Text key={c.name} size="sm" component="div">
            {c.name} <Expires time={c.expiresAt} />
          </Text>
        ))}
        <Anchor component={Link} to="/connections" size="sm">
          {t('expiry.renew')}
        </Anchor>
      </Stack>
    </Alert>
  );
}

function Welcome() {
  const { t } = useTranslation();
  return (
    <Card withBorder padding="lg">
      <Stack gap="xs">
        <Title order={2} fz="h5">
          {t('welcome.title')}
        </Title>
        <Text size="sm">{t('welcome.doc')}</Text>
        <List size="sm" type="ordered">
          <List.Item>{t('welcome.connect')}</List.Item>
          <List.Item>{t('welcome.network')}</List.Item>
          <List.Item>{t('welcome.vm')}</List.Item>
        </List>
        <Group>
          <Button component={Link} to="/setup">
            {t('setup.title')}
          </Button>
        </Group>
      </Stack>
    </Card>
  );
}
