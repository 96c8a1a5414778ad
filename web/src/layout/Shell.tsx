import {
  ActionIcon,
  Alert,
  AppShell,
  Badge,
  Burger,
  Button,
  Group,
  Indicator,
  Loader,
  Menu,
  Modal,
  NavLink,
  ScrollArea,
  Text,
  Tooltip,
  useMantineColorScheme,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { spotlight } from '@mantine/spotlight';
import {
  IconActivity,
  IconBook2,
  IconCheck,
  IconClockHour4,
  IconLogout,
  IconMoon,
  IconSearch,
  IconSun,
  IconUserCircle,
  IconWifiOff,
} from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { Fragment, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { logout } from '../api/client';
import { connected, live, useStore } from '../api/live';
import { type DriverProgress, driversQuery, kindsQuery, type Operation, sessionQuery } from '../api/queries';
import { meQuery } from '../api/rights';
import { useSlow } from '../api/slow';
import { type Language, languages, setLanguage } from '../i18n';
import { verbTitle } from '../i18n/words';
import { Failure } from '../pages/parts';
import { Login } from './Login';
import { arrived, ours, tray } from './ongoing';
import { Palette } from './Palette';
import { type Spot, usePlaces } from './places';
import { Shortcuts } from './Shortcuts';
import { Tour } from './Tour';
import { Tray } from './Tray';

const invitePath = '/invite';

/** Shell is what is around every page: login, header, navigation, live updates. */
export function Shell() {
  const { data: session, isPending, error } = useQuery(sessionQuery);
  const was = useRef(false);
  const path = useRouterState({ select: (s) => s.location.pathname });
  if (path === invitePath) return <Outlet />; // which is for who is not let in yet
  if (session) was.current = true;
  if (isPending) return <Loader m="xl" />;
  if (error && !session) return <Failure error={error} />;
  if (!session && !was.current) return <Login />;
  return (
    <>
      <Modal opened={!session} onClose={() => {}} withCloseButton={false} centered padding={0} size={400}>
        <Login again />
      </Modal>
      <Frame />
    </>
  );
}

function Frame() {
  const { t } = useTranslation();
  const [open, { toggle, close }] = useDisclosure();
  const path = useRouterState({ select: (s) => s.location.pathname });
  const { data: kinds, error } = useQuery(kindsQuery);
  const { data: me, error: unknown } = useQuery(meQuery);
  const places = usePlaces();
  const isConnected = useStore(connected);
  const slow = useSlow();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the menu of narrow screens closes on each move
  useEffect(close, [path]);
  useLive();

  const item = ({ to, title, icon }: Spot) => (
    <NavLink
      key={to}
      component={Link}
      to={to}
      label={title}
      leftSection={icon}
      active={path === to || (to !== '/' && path.startsWith(`${to}/`))}
      py={5}
      styles={{ label: { fontSize: 'var(--mantine-font-size-sm)' } }}
    />
  );
  const heading = (text: string) => (
    <Text size="xs" fw={600} c="dimmed" px={12} pt={12} pb={4}>
      {text}
    </Text>
  );
  return (
    <AppShell
      header={{ height: 48 }}
      navbar={{ width: 216, breakpoint: 'md', collapsed: { mobile: !open } }}
      padding={0}
    >
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger opened={open} onClick={toggle} hiddenFrom="md" size="sm" aria-label={t('shell.menu')} />
            <img src="/icon.svg" width={24} height={24} alt="" />
            <Text fw={650} visibleFrom="xs">
              mc-infra-connector
            </Text>
          </Group>
          <Group gap={6} wrap="nowrap">
            <Button
              variant="default"
              size="xs"
              leftSection={<IconSearch size={14} />}
              onClick={spotlight.open}
              rightSection={
                <Badge size="xs" variant="default" tt="none">
                  Ctrl K
                </Badge>
              }
            >
              {t('shell.search')}
            </Button>
            {isConnected && slow && (
              <Tooltip label={t('shell.slowDoc')}>
                <Badge color="orange" variant="light" leftSection={<IconClockHour4 size={12} />} role="status">
                  {t('shell.slow')}
                </Badge>
              </Tooltip>
            )}
            {!isConnected && (
              <Tooltip label={t('shell.offlineDoc')}>
                <Badge color="red" variant="light" leftSection={<IconWifiOff size={12} />} role="status">
                  {t('shell.offline')}
                </Badge>
              </Tooltip>
            )}
            <TrayButton />
            <Preferences />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar aria-label={t('shell.navigation')}>
        <ScrollArea h="100%" type="hover" scrollbarSize={6}>
          <div>
            {places.map((p) => (
              <Fragment key={p.heading ?? ''}>
                {p.heading && heading(p.heading)}
                {p.spots.map((spot) => item(spot))}
              </Fragment>
            ))}
            {heading(t('nav.help'))}
            <NavLink
              component="a"
              href="/docs/"
              target="_blank"
              label={t('nav.api')}
              leftSection={<IconBook2 size={16} />}
              py={5}
              styles={{ label: { fontSize: 'var(--mantine-font-size-sm)' } }}
            />
          </div>
        </ScrollArea>
      </AppShell.Navbar>
      <AppShell.Main>
        {error && <Failure error={error} />}
        {unknown && !me && <Failure error={unknown} />}
        {kinds && me && <Outlet />}
      </AppShell.Main>
      <Palette />
      <Shortcuts />
      <Tour />
      <Tray />
    </AppShell>
  );
}

/** useLive keeps what is shown current and tells how what was started here has ended. */
function useLive() {
  const client = useQueryClient();
  const { t } = useTranslation();
  const { data: kinds } = useQuery(kindsQuery);
  useEffect(() => {
    if (!kinds) return;
    const tell = (o: Operation) => {
      tray.see(o);
      if (!o.endedAt || !ours.delete(o.id)) return;
      const good = o.state === 'succeeded';
      notifications.show({
        color: good ? 'teal' : 'red',
        title: `${verbTitle(o.verb)} · ${o.name}`,
        message: good ? t('operation.done') : (o.error?.message ?? t('operation.failed')),
        autoClose: good ? 3000 : 12_000,
      });
    };
    const follow = (p: DriverProgress) => {
      tray.follow(p);
      if (!arrived(p)) return;
      void client.invalidateQueries({ queryKey: driversQuery.queryKey });
      void client.invalidateQueries({ queryKey: ['releases'] });
    };
    const heard = (is: boolean) => {
      if (!is) tray.lose();
      connected.set(is);
    };
    return live(client, kinds, tell, follow, heard);
  }, [client, kinds, t]);
}

function TrayButton() {
  const { t } = useTranslation();
  const { running } = useStore(tray.store);
  return (
    <Indicator label={running} size={16} disabled={running === 0}>
      <Tooltip label={t('nav.operations')}>
        <ActionIcon variant="default" size={30} onClick={tray.open} aria-label={t('tray.open', { count: running })}>
          <IconActivity size={16} className={running > 0 ? 'busy' : undefined} />
        </ActionIcon>
      </Tooltip>
    </Indicator>
  );
}

function Preferences() {
  const { t, i18n } = useTranslation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const client = useQueryClient();
  const { data: me } = useQuery(meQuery);
  const [failed, setFailed] = useState<unknown>();
  const out = async () => {
    try {
      const provider = await logout();
      client.clear();
      window.location.assign(provider ?? '/');
    } catch (e) {
      setFailed(e);
    }
  };
  return (
    <Menu position="bottom-end" width={220}>
      <Menu.Target>
        <ActionIcon variant="default" size={30} aria-label={t('shell.preferences')}>
          <IconUserCircle size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{me?.name}</Menu.Label>
        <Menu.Item component={Link} to="/account" leftSection={<IconUserCircle size={14} />}>
          {t('account.title')}
        </Menu.Item>
        <Menu.Label>{t('shell.language')}</Menu.Label>
        {Object.entries(languages).map(([code, name]) => (
          <Menu.Item
            key={code}
            lang={code}
            onClick={() => setLanguage(code as Language)}
            rightSection={i18n.language === code && <IconCheck size={14} />}
          >
            {name}
          </Menu.Item>
        ))}
        <Menu.Label>{t('shell.theme')}</Menu.Label>
        {(['light', 'dark', 'auto'] as const).map((scheme) => (
          <Menu.Item
            key={scheme}
            onClick={() => setColorScheme(scheme)}
            leftSection={scheme === 'dark' ? <IconMoon size={14} /> : <IconSun size={14} />}
            rightSection={colorScheme === scheme && <IconCheck size={14} />}
          >
            {t(`shell.${scheme}`)}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout size={14} />} onClick={out}>
          {t('shell.logout')}
        </Menu.Item>
        {failed !== undefined && <Alert color="red">{String(failed)}</Alert>}
      </Menu.Dropdown>
    </Menu>
  );
}
