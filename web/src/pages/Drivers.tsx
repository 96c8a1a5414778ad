import {
  ActionIcon,
  Alert,
  Badge,
  Button,
  Card,
  Group,
  Menu,
  NumberInput,
  PasswordInput,
  Progress,
  Select,
  SimpleGrid,
  Stack,
  Switch,
  Table,
  Text,
  Textarea,
  TextInput,
  Title,
} from '@mantine/core';
import { useForm } from '@mantine/form';
import { useDebouncedValue } from '@mantine/hooks';
import { modals } from '@mantine/modals';
import { notifications } from '@mantine/notifications';
import { IconAlertTriangle, IconDotsVertical, IconPencil, IconPlus, IconSearch, IconTrash } from '@tabler/icons-react';
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { send } from '../api/client';
import {
  type Driver,
  type DriverProgress,
  type Release,
  type Repository,
  releasesQuery,
  repositoriesQuery,
  useDrivers,
} from '../api/queries';
import { useMay } from '../api/rights';
import { useKey } from '../form/key';
import { showProblems } from '../form/problems';
import { useWay } from '../layout/ongoing';
import { everything } from '../model/rights';
import { Way } from './DriverWay';
import { Ago, Failure, Head } from './parts';
import { useRemoval } from './removal';
import { Act, Remove } from './rows';
import { Editor } from './Sheet';

/** Drivers shows the drivers that are here, what the repositories have, and the repositories. */
export function Drivers() {
  const { t } = useTranslation();
  const { data: drivers = [], error } = useDrivers();
  const may = useMay();
  return (
    <div className="page page-scroll">
      <Head title={t('drivers.title')} />
      {error && <Failure error={error} />}
      <Table.ScrollContainer minWidth={640}>
        <Table verticalSpacing={6} aria-label={t('drivers.installed')}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('setup.cloud')}</Table.Th>
              <Table.Th>{t('drivers.version')}</Table.Th>
              <Table.Th>{t('drivers.from')}</Table.Th>
              <Table.Th>{t('drivers.since')}</Table.Th>
              <Table.Th aria-label={t('setup.actions')} />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {drivers.map((d) => (
              <Installed key={d.name} driver={d} />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {may('read', 'repository', everything) && (
        <>
          <Available />
          <Repositories />
        </>
      )}
    </div>
  );
}

type Change = { verb: 'upgrade' | 'downgrade' | 'verify' | 'remove'; version?: string };

/** useDriverChange changes what is installed, and tells what came out of it. */
function useDriverChange(name: string) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const key = useKey();
  return useMutation({
    mutationFn: ({ verb, version }: Change) => {
      const once = { key: key([verb, version]) };
      return verb === 'remove'
        ? send<undefined>('DELETE', `/v1/drivers/${name}`, undefined, once)
        : send<{ version: string }>(
            'POST',
            `/v1/drivers/${name}:${verb}`,
            verb === 'verify' ? undefined : { version },
            once,
          );
    },
    onSuccess: (answer, { verb }) => {
      key.renew();
      notifications.show({
        color: 'teal',
        title: name,
        message: t(`drivers.done.${verb}`, { version: answer?.version }),
      });
      void queries.invalidateQueries({ queryKey: ['drivers'] });
      void queries.invalidateQueries({ queryKey: ['releases'] });
    },
    onError: (e) => notifications.show({ color: 'red', title: name, message: e.message, autoClose: 15_000 }),
  });
}

function Installed({ driver: d }: { driver: Driver }) {
  const { t } = useTranslation();
  const change = useDriverChange(d.name);
  const way = useWay(d.name);
  const from = d.installed;
  const manages = useMay()('manage', 'driver', everything);
  const ask = () =>
    modals.openConfirmModal({
      title: t('drivers.removeTitle', { name: d.title }),
      children: <Text size="sm">{t('drivers.removeDoc')}</Text>,
      labels: { confirm: t('common.delete'), cancel: t('common.cancel') },
      confirmProps: { color: 'red' },
      onConfirm: () => change.mutate({ verb: 'remove' }),
    });
  return (
    <Table.Tr>
      <Table.Td>
        <Text size="sm" fw={500}>
          {d.title}
        </Text>
        <Text size="xs" c="dimmed">
          {d.doc}
        </Text>
        {(change.isPending || way) && <Busy what={t('drivers.working')} way={way} />}
        {from?.problem && (
          <Text size="xs" c="red">
            {from.problem}
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        <Badge variant="default" tt="none" miw="max-content">
          {d.version}
        </Badge>
      </Table.Td>
      <Table.Td style={{ whiteSpace: 'nowrap' }}>
        {from ? from.repository : t('drivers.builtIn')}
        {from && !from.key && (
          <Badge ml={6} color="red" tt="none">
            {t('drivers.unsigned')}
          </Badge>
        )}
      </Table.Td>
      <Table.Td>
        <Ago time={from?.installedAt} />
      </Table.Td>
      <Table.Td>
        {from && manages && (
          <Group gap={4} justify="flex-end" wrap="nowrap">
            <Button size="compact-xs" variant="default" onClick={() => change.mutate({ verb: 'verify' })}>
              {t('drivers.verify')}
            </Button>
            <Button size="compact-xs" variant="default" onClick={() => change.mutate({ verb: 'upgrade' })}>
              {t('drivers.upgrade')}
            </Button>
            <Menu position="bottom-end">
              <Menu.Target>
                <ActionIcon variant="subtle" color="gray" aria-label={t('drivers.more', { name: d.title })}>
                  <IconDotsVertical size={15} />
                </ActionIcon>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Item disabled={!from.previous} onClick={() => change.mutate({ verb: 'downgrade' })}>
                  {t('drivers.downgrade', { version: from.previous ?? '' })}
                </Menu.Item>
                <Menu.Item color="red" leftSection={<IconTrash size={14} />} onClick={ask}>
                  {t('drivers.remove')}
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
          </Group>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

/** Busy says that something goes on, and how far it is where that is known. */
function Busy({ what, way }: { what: string; way?: DriverProgress }) {
  if (way) return <Way way={way} />;
  return (
    <Stack gap={2} mt={4} role="status">
      <Progress value={100} animated size="sm" aria-label={what} />
      <Text size="xs">{what}</Text>
    </Stack>
  );
}

/** Available searches the repositories. */
function Available() {
  const { t } = useTranslation();
  const [text, setText] = useState('');
  const [words] = useDebouncedValue(text.trim(), 250);
  const [repository, setRepository] = useState<string | null>(null);
  const { data: repositories = [] } = useQuery(repositoriesQuery);
  const {
    data: releases,
    error,
    isFetching,
  } = useQuery({
    ...releasesQuery(words, repository ?? undefined),
    placeholderData: keepPreviousData,
    enabled: repositories.length > 0,
  });
  if (repositories.length === 0) return null;
  return (
    <Stack gap="xs" component="section" mt="md">
      <Title order={2} fz="sm">
        {t('drivers.available')}
      </Title>
      <Group gap={6}>
        <TextInput
          size="xs"
          w={240}
          leftSection={<IconSearch size={14} />}
          placeholder={t('drivers.search')}
          aria-label={t('drivers.search')}
          value={text}
          onChange={(e) => setText(e.currentTarget.value)}
        />
        <Select
          size="xs"
          w={200}
          placeholder={t('drivers.allRepositories')}
          aria-label={t('drivers.repository')}
          data={repositories.map((r) => r.name)}
          value={repository}
          onChange={setRepository}
          clearable
        />
      </Group>
      {error && <Failure error={error} />}
      {releases?.length === 0 && !isFetching && (
        <Text size="sm" c="dimmed">
          {t('drivers.nothing')}
        </Text>
      )}
      <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }} spacing="sm">
        {releases?.map((r) => (
          <ReleaseCard key={`${r.repository}/${r.name}`} release={r} />
        ))}
      </SimpleGrid>
    </Stack>
  );
}

/** ReleaseCard is a driver of a repository, with what can be done with it here. */
export function ReleaseCard({ release: r, onInstalled }: { release: Release; onInstalled?: (d: Driver) => void }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [version, setVersion] = useState<string | null>(r.version);
  const way = useWay(r.name);
  const key = useKey();
  const manages = useMay()('manage', 'driver', everything);
  const install = useMutation({
    mutationFn: () => {
      const wanted = { version: version ?? undefined, repository: r.repository };
      const once = { key: key([r.installed, wanted]) };
      return r.installed
        ? send<Driver>('POST', `/v1/drivers/${r.name}:${newer(r, version) ? 'upgrade' : 'downgrade'}`, wanted, once)
        : send<Driver>('POST', '/v1/drivers', { name: r.name, ...wanted }, once);
    },
    onSuccess: async (d) => {
      key.renew();
      await queries.invalidateQueries({ queryKey: ['drivers'] });
      void queries.invalidateQueries({ queryKey: ['releases'] });
      notifications.show({
        color: 'teal',
        title: d.title,
        message: t('drivers.done.install', { version: d.version }),
      });
      onInstalled?.(d);
    },
  });
  const label = !r.installed
    ? t('drivers.install')
    : newer(r, version)
      ? t('drivers.upgrade')
      : t('drivers.downgrade', { version: '' });
  return (
    <Card withBorder padding="sm">
      <Stack gap={6}>
        <Group justify="space-between" gap={6}>
          <Text fw={600} size="sm">
            {r.title}
          </Text>
          <Text size="xs" c="dimmed">
            {r.repository}
          </Text>
        </Group>
        <Text size="xs" c="dimmed" lineClamp={3}>
          {r.doc}
        </Text>
        <Text size="xs">{[r.licenses, (r.platforms ?? []).join(', ')].filter(Boolean).join(' · ')}</Text>
        {!r.compatible && (
          <Text size="xs" c="red">
            {t('drivers.incompatible')}
          </Text>
        )}
        <Group gap={6}>
          <Select
            size="xs"
            w={120}
            aria-label={t('drivers.versionOf', { name: r.title })}
            data={r.versions ?? []}
            value={version}
            onChange={setVersion}
            allowDeselect={false}
          />
          {manages && (
            <Button
              size="xs"
              disabled={(!r.compatible && version === r.version) || version === r.installed}
              loading={install.isPending || way !== undefined}
              onClick={() => install.mutate()}
              aria-label={`${label} ${r.title}`}
            >
              {label}
            </Button>
          )}
          {r.installed && (
            <Badge variant="light" color="teal" tt="none">
              {t('drivers.here', { version: r.installed })}
            </Badge>
          )}
        </Group>
        {(install.isPending || way) && <Busy what={t('drivers.installing')} way={way} />}
        {install.error && <Failure error={install.error} />}
      </Stack>
    </Card>
  );
}

/** newer says whether a version stands before the installed one in a release's list, which begins with the newest. */
function newer(r: Release, version: string | null): boolean {
  const at = (r.versions ?? []).indexOf(version ?? '');
  const here = (r.versions ?? []).indexOf(r.installed ?? '');
  return here < 0 || at < here;
}

function Repositories() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const { data: repositories = [], error } = useQuery(repositoriesQuery);
  const [edited, setEdited] = useState<Repository | 'new'>();
  const manages = useMay()('manage', 'repository', everything);
  const remove = useRemoval('repositories', 'releases');
  return (
    <Stack gap="xs" component="section" mt="md">
      <Group justify="space-between">
        <Title order={2} fz="sm">
          {t('drivers.repositories')}
        </Title>
        {manages && (
          <Button size="xs" variant="default" leftSection={<IconPlus size={14} />} onClick={() => setEdited('new')}>
            {t('drivers.addRepository')}
          </Button>
        )}
      </Group>
      {error && <Failure error={error} />}
      {repositories.length === 0 && (
        <Text size="sm" c="dimmed">
          {t('drivers.noRepository')}
        </Text>
      )}
      {repositories.map((r) => (
        <Card key={r.name} withBorder padding="xs">
          <Group justify="space-between" wrap="nowrap">
            <Stack gap={2} miw={0}>
              <Group gap={6}>
                <Text size="sm" fw={500}>
                  {r.name}
                </Text>
                {r.insecure && (
                  <Badge color="red" variant="filled" tt="none" leftSection={<IconAlertTriangle size={12} />}>
                    {t('drivers.insecure')}
                  </Badge>
                )}
                {r.plainHTTP && (
                  <Badge color="orange" variant="light" tt="none">
                    HTTP
                  </Badge>
                )}
                {r.configured && (
                  <Badge variant="default" tt="none">
                    {t('drivers.configured')}
                  </Badge>
                )}
              </Group>
              <Text size="xs" className="mono" style={{ overflowWrap: 'anywhere' }}>
                {r.url}
              </Text>
              <Text size="xs" c="dimmed">
                {t('drivers.summary', { priority: r.priority, keys: r.keys?.length ?? 0 })}
              </Text>
            </Stack>
            {manages && !r.configured && (
              <Group gap={2} wrap="nowrap">
                <Act
                  label={t('drivers.change', { name: r.name })}
                  icon={<IconPencil size={15} />}
                  onClick={() => setEdited(r)}
                />
                <Remove
                  name={r.name}
                  onClick={() => remove(`/v1/repositories/${r.name}`, r.name, t('drivers.deleteRepository'))}
                />
              </Group>
            )}
          </Group>
        </Card>
      ))}
      <Editor
        opened={edited !== undefined}
        title={edited === 'new' || !edited ? t('drivers.addRepository') : t('drivers.change', { name: edited.name })}
        onClose={() => setEdited(undefined)}
      >
        {edited && (
          <RepositoryForm
            old={edited === 'new' ? undefined : edited}
            onDone={() => {
              setEdited(undefined);
              void queries.invalidateQueries({ queryKey: ['repositories'] });
              void queries.invalidateQueries({ queryKey: ['releases'] });
            }}
          />
        )}
      </Editor>
    </Stack>
  );
}

function RepositoryForm({ old, onDone }: { old?: Repository; onDone: () => void }) {
  const { t } = useTranslation();
  const form = useForm({
    initialValues: {
      name: old?.name ?? '',
      url: old?.url ?? '',
      priority: old?.priority ?? 0,
      keys: (old?.keys ?? []).map((k) => ({ key: k.key, prefix: k.prefix ?? '' })),
      insecure: old?.insecure ?? false,
      plainHTTP: old?.plainHTTP ?? false,
      username: old?.username ?? '',
      password: '',
    },
  });
  const key = useKey();
  const save = useMutation({
    mutationFn: () => {
      const { name, password, keys, username, ...rest } = form.getValues();
      const body = {
        ...rest,
        keys: keys.filter((k) => k.key !== '').map((k) => ({ key: k.key, prefix: k.prefix || undefined })),
        username: username || (old ? '' : undefined),
        password: password || undefined,
      };
      return old
        ? send('PATCH', `/v1/repositories/${old.name}`, body, { key: key(body) })
        : send('POST', '/v1/repositories', { name, ...body }, { key: key([name, body]) });
    },
    onSuccess: onDone,
    onError: (e) => showProblems(form, e),
  });
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        save.mutate();
      }}
    >
      <Stack gap="sm">
        {!old && <TextInput label={t('setup.name')} withAsterisk {...form.getInputProps('name')} />}
        <TextInput
          label={t('drivers.url')}
          description={t('drivers.urlDoc')}
          withAsterisk
          {...form.getInputProps('url')}
        />
        {form.values.keys.map((_, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: keys have no name
          <Group key={i} gap={6} align="flex-start" wrap="nowrap">
            <Textarea
              flex={1}
              label={t('drivers.key', { number: i + 1 })}
              placeholder="-----BEGIN PUBLIC KEY-----"
              autosize
              minRows={2}
              maxRows={5}
              styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 11 } }}
              {...form.getInputProps(`keys.${i}.key`)}
            />
            <TextInput w={110} label={t('drivers.prefix')} {...form.getInputProps(`keys.${i}.prefix`)} />
            <ActionIcon
              variant="subtle"
              color="gray"
              mt={26}
              aria-label={t('form.removeItem', { number: i + 1 })}
              onClick={() => form.removeListItem('keys', i)}
            >
              <IconTrash size={15} />
            </ActionIcon>
          </Group>
        ))}
        {form.errors.keys && (
          <Text size="xs" c="red">
            {form.errors.keys}
          </Text>
        )}
        <Group>
          <Button
            size="compact-sm"
            variant="default"
            leftSection={<IconPlus size={14} />}
            onClick={() => form.insertListItem('keys', { key: '', prefix: '' })}
          >
            {t('drivers.addKey')}
          </Button>
        </Group>
        <NumberInput
          label={t('drivers.priority')}
          description={t('drivers.priorityDoc')}
          {...form.getInputProps('priority')}
        />
        <TextInput label={t('drivers.username')} autoComplete="off" {...form.getInputProps('username')} />
        <PasswordInput
          label={t('drivers.password')}
          description={old && t('drivers.passwordKept')}
          autoComplete="off"
          {...form.getInputProps('password')}
        />
        <Switch label={t('drivers.plainHTTP')} {...form.getInputProps('plainHTTP', { type: 'checkbox' })} />
        <Switch
          color="red"
          label={t('drivers.allowInsecure')}
          {...form.getInputProps('insecure', { type: 'checkbox' })}
        />
        {form.values.insecure && (
          <Alert color="red" variant="filled" icon={<IconAlertTriangle />} title={t('drivers.insecure')}>
            {t('drivers.insecureDoc')}
          </Alert>
        )}
        {save.error && <Failure error={save.error} />}
        <Group>
          <Button type="submit" loading={save.isPending} color={form.values.insecure ? 'red' : undefined}>
            {form.values.insecure ? t('drivers.saveInsecure') : t('drivers.save')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
