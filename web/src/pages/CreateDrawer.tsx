import { Alert, Button, Drawer, Group, Select, Stack, Text } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { send } from '../api/client';
import { connectionsQuery, type Kind, type Operation, resourcesPath } from '../api/queries';
import { useMay, useOffers } from '../api/rights';
import { useKey } from '../form/key';
import { showProblems } from '../form/problems';
import { SchemaForm, Secrets, useSchemaForm } from '../form/SchemaForm';
import { kindTitle } from '../i18n/words';
import { tray } from '../layout/ongoing';
import type { Values } from '../model/schema';
import { download } from '../table/export';

type Props = { kind: Kind; opened: boolean; connection?: string; onClose: () => void };

/** CreateDrawer creates a resource of any kind. */
export function CreateDrawer({ kind, opened, connection, onClose }: Props) {
  const { t } = useTranslation();
  return (
    <Drawer
      opened={opened}
      onClose={onClose}
      position="right"
      size={560}
      title={<Text fw={650}>{t('resource.createOne', { kind: kindTitle(kind) })}</Text>}
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      <Create kind={kind} connection={connection} onClose={onClose} />
    </Drawer>
  );
}

function Create({ kind, connection, onClose }: Omit<Props, 'opened'>) {
  const { t } = useTranslation();
  const may = useMay();
  const { data: all = [] } = useQuery(connectionsQuery);
  const connections = all.filter((c) => may('create', kind.name, c.name));
  const offers = useOffers();
  const [chosen, setChosen] = useState<string | null>(connection ?? null);
  const at = chosen ?? (connections.length === 1 ? (connections[0]?.name ?? '') : '');
  const form = useSchemaForm(kind.create);
  const [secrets, setSecrets] = useState<Operation['secrets']>();
  const key = useKey();
  const create = useMutation({
    mutationFn: (values: Values) =>
      send<Operation>('POST', resourcesPath(kind.plural, at), values, { key: key([at, values]) }),
    onSuccess: (o) => {
      tray.start(o);
      if (o.secrets) setSecrets(o.secrets);
      else onClose();
    },
    onError: (e) => showProblems(form, e),
  });
  if (secrets) {
    const name = String(form.getValues().name);
    return (
      <Stack>
        <Secrets
          secrets={secrets}
          onSave={(field, value) =>
            download(field === 'privateKey' ? `${name}.pem` : `${name}-${field}.txt`, 'application/x-pem-file', value)
          }
        />
        <Group>
          <Button variant="default" onClick={onClose}>
            {t('secret.done')}
          </Button>
        </Group>
      </Stack>
    );
  }
  const lacking = at !== '' && !offers(at, kind.name, 'create');
  return (
    <SchemaForm
      form={form}
      schema={kind.create}
      place={{ connection: at, owner: kind.name }}
      error={create.error}
      submit={t('resource.create')}
      pending={create.isPending}
      disabled={at === '' || lacking}
      onSubmit={(values) => create.mutate(values)}
    >
      <Text size="sm" c="dimmed">
        {kind.doc}
      </Text>
      <Select
        label={t('resource.connection')}
        description={t('resource.connectionDoc')}
        data={connections.map((c) => ({ value: c.name, label: c.region ? `${c.name} · ${c.region}` : c.name }))}
        value={at || null}
        onChange={setChosen}
        withAsterisk
        searchable
        allowDeselect={false}
      />
      {lacking && <Alert color="orange">{t('resource.notOffered', { connection: at, kind: kindTitle(kind) })}</Alert>}
    </SchemaForm>
  );
}
