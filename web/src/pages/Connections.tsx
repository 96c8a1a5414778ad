import { ActionIcon, Anchor, Button, Group, Table, Text, Title } from '@mantine/core';
import { modals } from '@mantine/modals';
import { notifications } from '@mantine/notifications';
import { IconPlugConnected, IconPlus, IconTrash } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { client, data } from '../api/client';
import { connectionsQuery, credentialsQuery, useDrivers } from '../api/queries';
import { useKey, withKey } from '../form/key';
import { Ago, Failure, Head } from './parts';

/** Connections shows what the server reaches, and with what. */
export function Connections() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const { data: connections = [], error } = useQuery(connectionsQuery);
  const { data: credentials = [] } = useQuery(credentialsQuery);
  const { data: drivers = [] } = useDrivers();
  const title = (cloud: string) => drivers.find((d) => d.name === cloud)?.title ?? cloud;
  const check = useMutation({
    mutationFn: (name: string) => data(client.POST('/v1/connections/{name}:check', { params: { path: { name } } })),
    onSuccess: (_, name) => notifications.show({ color: 'teal', title: name, message: t('setup.works') }),
    onError: (e, name) => notifications.show({ color: 'red', title: name, message: e.message, autoClose: 15_000 }),
  });
  const key = useKey();
  const remove = useMutation({
    mutationFn: ({ what, name }: { what: 'connections' | 'credentials'; name: string }) =>
      what === 'connections'
        ? data(client.DELETE('/v1/connections/{name}', { ...withKey(key([what, name])), params: { path: { name } } }))
        : data(client.DELETE('/v1/credentials/{name}', { ...withKey(key([what, name])), params: { path: { name } } })),
    onSuccess: (_, { what }) => {
      key.renew();
      void queries.invalidateQueries({ queryKey: [what] });
    },
    onError: (e, { name }) => notifications.show({ color: 'red', title: name, message: e.message, autoClose: 15_000 }),
  });
  const ask = (what: 'connections' | 'credentials', name: string) =>
    modals.openConfirmModal({
      title: t('setup.deleteTitle', { name }),
      children: (
        <Text size="sm">{t(what === 'connections' ? 'setup.deleteConnection' : 'setup.deleteCredential')}</Text>
      ),
      labels: { confirm: t('common.delete'), cancel: t('common.cancel') },
      confirmProps: { color: 'red' },
      onConfirm: () => remove.mutate({ what, name }),
    });
  return (
    <div className="page page-scroll">
      <Head
        title={t('nav.connections')}
        actions={
          <Button component={Link} to="/setup" size="xs" leftSection={<IconPlus size={14} />}>
            {t('setup.title')}
          </Button>
        }
      />
      {error && <Failure error={error} />}
      <Table.ScrollContainer minWidth={640}>
        <Table highlightOnHover verticalSpacing={6}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('setup.name')}</Table.Th>
              <Table.Th>{t('setup.cloud')}</Table.Th>
              <Table.Th>{t('setup.region')}</Table.Th>
              <Table.Th>{t('setup.credential')}</Table.Th>
              <Table.Th>{t('setup.created')}</Table.Th>
              <Table.Th aria-label={t('setup.actions')} />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {connections.map((c) => (
              <Table.Tr key={c.name}>
                <Table.Td>
                  <Anchor
                    component={Link}
                    inherit
                    fw={500}
                    to="/connections/$connection"
                    params={{ connection: c.name } as never}
                  >
                    {c.name}
                  </Anchor>
                </Table.Td>
                <Table.Td>{title(c.cloud)}</Table.Td>
                <Table.Td>{[c.region, c.zone].filter(Boolean).join(' / ') || '–'}</Table.Td>
                <Table.Td>{c.credential ?? '–'}</Table.Td>
                <Table.Td>
                  <Ago time={c.createdAt} />
                </Table.Td>
                <Table.Td>
                  <Group gap={4} justify="flex-end" wrap="nowrap">
                    <Button
                      size="compact-xs"
                      variant="default"
                      leftSection={<IconPlugConnected size={12} />}
                      loading={check.isPending && check.variables === c.name}
                      onClick={() => check.mutate(c.name)}
                    >
                      {t('setup.test')}
                    </Button>
                    <ActionIcon
                      variant="subtle"
                      color="red"
                      aria-label={t('setup.deleteTitle', { name: c.name })}
                      onClick={() => ask('connections', c.name)}
                    >
                      <IconTrash size={15} />
                    </ActionIcon>
                  </Group>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {connections.length === 0 && <Text c="dimmed">{t('empty.noConnection')}</Text>}
      <Title order={2} fz="sm" mt="md">
        {t('setup.credentials')}
      </Title>
      {credentials.length === 0 && (
        <Text size="sm" c="dimmed">
          {t('setup.noCredentials')}
        </Text>
      )}
      {credentials.map((c) => (
        <Group key={c.name} gap="sm">
          <Text size="sm" fw={500}>
            {c.name}
          </Text>
          <Text size="sm" c="dimmed">
            {title(c.cloud)} · {c.fields?.join(', ')}
          </Text>
          <ActionIcon
            variant="subtle"
            color="red"
            aria-label={t('setup.deleteTitle', { name: c.name })}
            onClick={() => ask('credentials', c.name)}
          >
            <IconTrash size={15} />
          </ActionIcon>
        </Group>
      ))}
    </div>
  );
}
