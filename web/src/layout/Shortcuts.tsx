import { Group, Kbd, Modal, Stack, Text } from '@mantine/core';
import { type HotkeyItem, useDisclosure, useHotkeys } from '@mantine/hooks';
import { spotlight } from '@mantine/spotlight';
import { useNavigate } from '@tanstack/react-router';
import { Fragment } from 'react';
import { useTranslation } from 'react-i18next';
import type { Search } from '../address';
import { tray } from './ongoing';

/** The element of a page that a shortcut presses or enters. */
const press = (what: string) => document.querySelector<HTMLElement>(what);

/** Shortcuts are the keys that work on every page, and the sheet that tells them. */
export function Shortcuts() {
  const { t } = useTranslation();
  const go = useNavigate();
  const [opened, { toggle, close }] = useDisclosure();
  const to = (path: string) => () => void go({ to: path });
  const keys: [key: string, shown: string, what: string, act: () => void][] = [
    ['shift+?', '?', t('shortcut.help'), toggle],
    ['/', '/', t('shortcut.search'), () => press('[data-search]')?.focus()],
    ['c', 'C', t('shortcut.create'), () => void go({ to: '.', search: (old: Search) => ({ ...old, create: true }) })],
    ['r', 'R', t('shortcut.refresh'), () => press('[data-refresh]')?.click()],
    ['o', 'O', t('shortcut.overview'), to('/')],
    ['v', 'V', t('shortcut.vms'), to('/resources/vms')],
    ['t', 'T', t('shortcut.topology'), to('/topology')],
    ['n', 'N', t('shortcut.connect'), to('/setup')],
    ['a', 'A', t('shortcut.tray'), tray.open],
  ];
  useHotkeys([
    // Letters are those of the key: in Korean it would type another.
    ...keys.map(([key, , , act]): HotkeyItem => [key, act, { usePhysicalKeys: /^[a-z]$/.test(key) }]),
    ['?', toggle], // where it needs no shift
  ]);
  const rows = [['Ctrl K', t('shortcut.palette')], ...keys.map(([, shown, what]) => [shown, what])];
  return (
    <Modal
      opened={opened}
      onClose={close}
      title={<Text fw={650}>{t('shortcut.title')}</Text>}
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      <Stack gap="sm">
        <dl className="facts">
          {rows.map(([shown, what]) => (
            <Fragment key={shown}>
              <dt>
                <Kbd>{shown}</Kbd>
              </dt>
              <dd>{what}</dd>
            </Fragment>
          ))}
        </dl>
        <Group gap={6}>
          <Text
            size="xs"
            c="dimmed"
            component="button"
            type="button"
            style={{ background: 'none', border: 0, cursor: 'pointer' }}
            onClick={() => {
              close();
              spotlight.open();
            }}
          >
            {t('shortcut.more')}
          </Text>
        </Group>
      </Stack>
    </Modal>
  );
}
