import { Button, Card, Dialog, Group, Stack, Text, Title } from '@mantine/core';
import { useLocalStorage } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { store, useStore } from '../api/live';
import { sessionQuery } from '../api/queries';
import { usePlaces } from './places';

/** step is where the tour is, from 0, or undefined. */
const step = store<number | undefined>(undefined);

const tour = [
  { path: '/', text: 'tour.overview' },
  { path: '/connections', text: 'tour.connections' },
  { path: '/resources/vpcs', text: 'tour.resources' },
  { path: '/resources/vms', text: 'tour.vms' },
  { path: '/operations', text: 'tour.operations' },
  { path: '/topology', text: 'tour.topology' },
  { path: '/drivers', text: 'tour.drivers' },
] as const;

function useSeen() {
  return useLocalStorage({ key: 'mcic-tour-seen', defaultValue: false, getInitialValueInEffect: false });
}

/** TourOffer offers the tour to who is new, on a server to try things out. */
export function TourOffer() {
  const { t } = useTranslation();
  const [seen, setSeen] = useSeen();
  const at = useStore(step);
  const { data: session } = useQuery(sessionQuery);
  if (seen || !session?.dev || at !== undefined) return null;
  return (
    <Card withBorder padding="md">
      <Stack gap="xs">
        <Title order={2} fz="h5">
          {t('tour.title')}
        </Title>
        <Text size="sm">{t('tour.doc')}</Text>
        <Group gap={6}>
          <Button size="xs" onClick={() => step.set(0)}>
            {t('tour.start')}
          </Button>
          <Button size="xs" variant="subtle" color="gray" onClick={() => setSeen(true)}>
            {t('tour.no')}
          </Button>
        </Group>
      </Stack>
    </Card>
  );
}

/** Tour leads from page to page and says what each is for. */
export function Tour() {
  const { t } = useTranslation();
  const go = useNavigate();
  const [, setSeen] = useSeen();
  const at = useStore(step);
  const places = usePlaces();
  const stops = tour.filter((s) => places.some((p) => p.spots.some((spot) => spot.to === s.path)));
  const stop = at === undefined ? undefined : stops[at];
  const path: string | undefined = stop?.path;
  useEffect(() => {
    if (!path) return;
    void go({ to: path });
    const link = document.querySelector(`nav a[href="${path}"]`);
    link?.classList.add('toured');
    link?.scrollIntoView({ block: 'nearest' });
    return () => link?.classList.remove('toured');
  }, [path, go]);
  if (at === undefined || !stop) return null;
  const end = () => {
    step.set(undefined);
    setSeen(true);
  };
  const last = at === stops.length - 1;
  return (
    <Dialog opened position={{ bottom: 20, left: 240 }} size={420} role="dialog" aria-label={t('tour.title')}>
      <Stack gap="xs">
        <Text size="xs" c="dimmed">
          {t('tour.step', { number: at + 1, total: stops.length })}
        </Text>
        <Text size="sm">{t(stop.text)}</Text>
        <Group gap={6}>
          {at > 0 && (
            <Button size="xs" variant="default" onClick={() => step.set(at - 1)}>
              {t('tour.back')}
            </Button>
          )}
          <Button size="xs" onClick={() => (last ? end() : step.set(at + 1))}>
            {t(last ? 'tour.end' : 'tour.next')}
          </Button>
          {!last && (
            <Button size="xs" variant="subtle" color="gray" onClick={end}>
              {t('tour.skip')}
            </Button>
          )}
        </Group>
      </Stack>
    </Dialog>
  );
}
