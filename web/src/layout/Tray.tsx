import { Button, Drawer, Group, Stack, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { useStore } from '../api/live';
import { WayCard } from '../pages/DriverWay';
import { OperationCard } from '../pages/OperationCard';
import { tray } from './ongoing';

export function Tray() {
  const { t } = useTranslation();
  const { opened, operations, ways } = useStore(tray.store);
  return (
    <Drawer
      opened={opened}
      onClose={tray.close}
      position="right"
      size="md"
      title={<Text fw={650}>{t('tray.title')}</Text>}
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      <Stack gap="sm">
        {operations.length === 0 && ways.length === 0 && <Text c="dimmed">{t('tray.empty')}</Text>}
        {ways.map((w) => (
          <WayCard key={w.id} way={w} />
        ))}
        {operations.map((o) => (
          <OperationCard key={o.id} operation={o} />
        ))}
        <Group>
          <Button component={Link} to="/operations" variant="default" size="xs" onClick={tray.close}>
            {t('tray.all')}
          </Button>
        </Group>
      </Stack>
    </Drawer>
  );
}
