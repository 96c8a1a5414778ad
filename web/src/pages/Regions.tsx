import { Card, Group, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import type { Connection, Counts, Driver, Kind } from '../api/queries';
import { kindTitles } from '../i18n/words';

type Props = { connections: Connection[]; drivers: Driver[]; counts: { kind: Kind; counts?: Counts }[] };

/** Regions is a grid of where things run: a card for each region of each cloud, with what is there. */
export function Regions({ connections, drivers, counts }: Props) {
  const { t, i18n } = useTranslation();
  const places = new Map<string, { cloud: string; region: string; connections: string[] }>();
  for (const c of connections) {
    const key = `${c.cloud}/${c.region ?? ''}`;
    const place = places.get(key) ?? { cloud: c.cloud, region: c.region ?? '', connections: [] };
    place.connections.push(c.name);
    places.set(key, place);
  }
  if (places.size === 0) return null;
  const count = (c: Counts | undefined, names: string[]) =>
    (c?.groups ?? []).filter((g) => names.includes(g.value)).reduce((n, g) => n + g.count, 0);
  return (
    <Stack gap="xs" component="section">
      <Title order={2} fz="sm">
        {t('overview.regions')}
      </Title>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 4 }} spacing="sm">
        {[...places].map(([key, place]) => {
          const here = counts
            .map(({ kind, counts: c }) => ({ kind, n: count(c, place.connections) }))
            .filter(({ n }) => n > 0);
          const filter = [`cloud=${place.cloud}`, ...(place.region ? [`region=${place.region}`] : [])];
          return (
            <Card key={key} withBorder padding="sm">
              <Text size="sm" fw={600}>
                {place.region || t('overview.noRegion')}
              </Text>
              <Text size="xs" c="dimmed">
                {drivers.find((d) => d.name === place.cloud)?.title ?? place.cloud} · {place.connections.join(', ')}
              </Text>
              <Group gap={10} mt={6}>
                {here.length === 0 && (
                  <Text size="xs" c="dimmed">
                    {t('overview.nothingHere')}
                  </Text>
                )}
                {here.map(({ kind, n }) => (
                  <Text key={kind.name} size="xs">
                    <Link
                      className="plain"
                      to="/resources/$plural"
                      params={{ plural: kind.plural } as never}
                      search={{ filter } as never}
                    >
                      {kindTitles(kind)} <b>{n.toLocaleString(i18n.language)}</b>
                    </Link>
                  </Text>
                ))}
              </Group>
            </Card>
          );
        })}
      </SimpleGrid>
    </Stack>
  );
}
