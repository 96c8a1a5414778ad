import { Button, Drawer, Group, Stack, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { store, useStore } from '../api/live';
import type { Operation } from '../api/queries';
import { OperationCard } from '../pages/OperationCard';

/** ours are the operations that this page has started, until they are told to have ended. */
export const ours = new Set<string>();

const kept = 30;

type State = { opened: boolean; operations: Operation[]; running: number };

const state = store<State>({ opened: false, operations: [], running: 0 });

/** tray gathers the operations that go on or have just ended. */
export const tray = {
  store: state,
  see(o: Operation) {
    if (o.parent) return; // the one above it is shown
    const operations = [o, ...state.get().operations.filter((x) => x.id !== o.id)]
      .sort((a, b) => (a.id < b.id ? 1 : -1))
      .slice(0, kept);
    state.set({ ...state.get(), operations, running: operations.filter((x) => !x.endedAt).length });
  },
  /** start remembers an operation that was started here. */
  start(o: Operation) {
    if (!o.endedAt) ours.add(o.id);
    tray.see(o);
  },
  open: () => state.set({ ...state.get(), opened: true }),
  close: () => state.set({ ...state.get(), opened: false }),
};

export function Tray() {
  const { t } = useTranslation();
  const { opened, operations } = useStore(state);
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
        {operations.length === 0 && <Text c="dimmed">{t('tray.empty')}</Text>}
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
