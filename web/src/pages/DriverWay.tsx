import { Card, Group, Progress, Stack, Text } from '@mantine/core';
import { IconPackage } from '@tabler/icons-react';
import { useTranslation } from 'react-i18next';
import type { DriverProgress } from '../api/queries';
import { verbTitle } from '../i18n/words';
import { Ago } from './parts';

/** The steps of a driver's way to work, in their order. */
const steps: DriverProgress['step'][] = ['find', 'verify', 'download', 'unpack', 'probe', 'ready'];

const kilo = 1000;

/** Way is how far a driver is on its way to work. */
export function Way({ way }: { way: DriverProgress }) {
  const { t, i18n } = useTranslation();
  const at = steps.indexOf(way.step);
  const part = way.total ? (way.done ?? 0) / way.total : 0;
  const size = (bytes: number) =>
    new Intl.NumberFormat(i18n.language, { style: 'unit', unit: 'megabyte', maximumFractionDigits: 1 }).format(
      bytes / kilo / kilo,
    );
  const failed = way.step === 'failed';
  const text = t(`drivers.step.${way.step}`);
  return (
    <Stack gap={2} mt={4} role="status">
      <Progress
        value={failed ? 100 : (100 * (at + part)) / (steps.length - 1)}
        color={failed ? 'red' : way.step === 'ready' ? 'teal' : undefined}
        animated={at < steps.length - 1 && !failed}
        size="sm"
        aria-label={text}
      />
      <Text size="xs">
        {text}
        {way.total ? ` ${size(way.done ?? 0)} / ${size(way.total)}` : ''}
      </Text>
      {way.error && (
        <Text size="xs" c="red" style={{ overflowWrap: 'anywhere' }}>
          {way.error.message}
        </Text>
      )}
    </Stack>
  );
}

/** WayCard is one among the operations. */
export function WayCard({ way }: { way: DriverProgress }) {
  return (
    <Card withBorder padding="sm">
      <Group justify="space-between" wrap="nowrap">
        <Group gap={6} wrap="nowrap" miw={0}>
          <IconPackage size={16} />
          <Text size="sm" fw={550}>
            {verbTitle(way.verb)}
          </Text>
          <Text size="sm" truncate>
            {[way.name, way.version].filter(Boolean).join(' ')}
          </Text>
        </Group>
        <Text size="xs" c="dimmed">
          <Ago time={way.startedAt} />
        </Text>
      </Group>
      <Way way={way} />
    </Card>
  );
}
