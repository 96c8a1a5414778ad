import { Anchor, Button, Group, Table, Text, Title } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconPencil, IconPlugConnected, IconPlus } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { client, data, type Schemas } from '../api/client';
import { type Connection, connectionsQuery, credentialsQuery, useDrivers } from '../api/queries';
import { useMay } from '../api/rights';
import { everything } from '../model/rights';
import { ConnectionForm, CredentialForm } from './ConnectionForms';
import { Ago, Expires, ExpiryMark, Failure, Head } from './parts';
import { useRemoval } from './removal';
import { Act, Remove } from './rows';
import { Editor } from './Sheet';

/** Connections shows what the server reaches, and with what. */
export function Connections() {
  const { t } = useTranslation();
  const { data: connections = [], error } = useQuery(connectionsQuery);
  const { data: drivers = [] } = useDrivers();
  const check = useMutation({
    mutationFn: (name: string) => data(client.POST('/v1/connections/{name}:check', { params: { path: { name } } })),
    onSuccess: (_, name) => notifications.show({ color: 'teal', title: name, message: t('setup.works') }),
    onError: (e, name) => notifications.show({ color: 'red', title: name, message: e.message, autoClose: 15_000 }),
  });
  const may = useMay();
  const points = may('create', 'connection', everything); // who may not, may not change where one leads either
  const { data: credentials = [] } = useQuery({ ...credentialsQuery, enabled: may('read', 'credential', everything) });
  const removeConnection = useRemoval('connections');
  const removeCredential = useRemoval('credentials');
  const [connection, setConnection] = useState<Connection>();
  const [credential, setCredential] = useState<Schemas['Credential']>();
  const driver = (cloud?: string) => drivers.find((d) => d.name === cloud);
  const title = (cloud: string) => driver(cloud)?.title ?? cloud;
  return (
    <div className="page page-scroll">
      <Head
        title={t('nav.connections')}
        actions={
          points && (
            <Button component={Link} to="/setup" size="xs" leftSection={<IconPlus size={14} />}>
              {t('setup.title')}
            </Button>
          )
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
                <Table.Td>
                  <Group gap={6} wrap="nowrap">
                    {c.credential ?? '–'}
                    <ExpiryMark time={credentials.find((x) => x.name === c.credential)?.expiresAt} />
                  </Group>
                </Table.Td>
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
                    {points && may('update', 'connection', c.name) && (
                      <Act
                        label={t('drivers.change', { name: c.name })}
                        icon={<IconPencil size={15} />}
                        onClick={() => setConnection(c)}
                      />
                    )}
                    {may('delete', 'connection', c.name) && (
                      <Remove
                        name={c.name}
                        onClick={() =>
                          removeConnection(`/v1/connections/${c.name}`, c.name, t('setup.deleteConnection'))
                        }
                      />
                    )}
                  </Group>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {connections.length === 0 && <Text c="dimmed">{t('empty.noConnection')}</Text>}
      {may('read', 'credential', everything) && (
        <>
          <Title order={2} fz="sm" mt="md">
            {t('setup.credentials')}
          </Title>
          {credentials.length === 0 && (
            <Text size="sm" c="dimmed">
              {t('setup.noCredentials')}
            </Text>
          )}
        </>
      )}
      {credentials.length > 0 && (
        <Table.ScrollContainer minWidth={640}>
          <Table highlightOnHover verticalSpacing={6} aria-label={t('setup.credentials')}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('setup.name')}</Table.Th>
                <Table.Th>{t('setup.cloud')}</Table.Th>
                <Table.Th>{t('setup.values')}</Table.Th>
                <Table.Th>{t('setup.expires')}</Table.Th>
                <Table.Th>{t('setup.created')}</Table.Th>
                <Table.Th aria-label={t('setup.actions')} />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {credentials.map((c) => (
                <Table.Tr key={c.name}>
                  <Table.Td fw={500}>{c.name}</Table.Td>
                  <Table.Td>{title(c.cloud)}</Table.Td>
                  <Table.Td>{c.fields?.join(', ')}</Table.Td>
                  <Table.Td>
                    <Expires time={c.expiresAt} />
                  </Table.Td>
                  <Table.Td>
                    <Ago time={c.createdAt} />
                  </Table.Td>
                  <Table.Td>
                    <Group gap={4} justify="flex-end" wrap="nowrap">
                      {may('update', 'credential', everything) && (
                        <Act
                          label={t('drivers.change', { name: c.name })}
                          icon={<IconPencil size={15} />}
                          onClick={() => setCredential(c)}
                        />
                      )}
                      {may('delete', 'credential', everything) && (
                        <Remove
                          name={c.name}
                          onClick={() =>
                            removeCredential(`/v1/credentials/${c.name}`, c.name, t('setup.deleteCredential'))
                          }
                        />
                      )}
                    </Group>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      <Editor
        opened={credential !== undefined}
        title={t('drivers.change', { name: credential?.name })}
        onClose={() => setCredential(undefined)}
      >
        {credential && (
          <CredentialForm old={credential} driver={driver(credential.cloud)} onDone={() => setCredential(undefined)} />
        )}
      </Editor>
      <Editor
        opened={connection !== undefined}
        title={t('drivers.change', { name: connection?.name })}
        onClose={() => setConnection(undefined)}
      >
        {connection && (
          <ConnectionForm old={connection} driver={driver(connection.cloud)} onDone={() => setConnection(undefined)} />
        )}
      </Editor>
    </div>
  );
}
