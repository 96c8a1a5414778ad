import { Badge, Group, Modal, Stack, Text } from '@mantine/core';
import { modals } from '@mantine/modals';
import { notifications } from '@mantine/notifications';
import { IconLockOpen, IconMailForward, IconPencil, IconShieldOff } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Schemas, send } from '../api/client';
import { groupsQuery, type User, usersQuery } from '../api/queries';
import { useKey } from '../form/key';
import { Secrets } from '../form/SchemaForm';
import { fieldTitle } from '../i18n/words';
import { type Column, DataTable } from '../table/DataTable';
import { Ago, Failure } from './parts';
import { useRemoval } from './removal';
import { Act, Add, Remove } from './rows';
import { Editor, SheetForm } from './Sheet';

/** Users lists who can log in or has tokens. */
export function Users({ manages }: { manages: boolean }) {
  const { t, i18n } = useTranslation();
  const queries = useQueryClient();
  const { data: users = [], error, isPending } = useQuery(usersQuery);
  const { data: groups = [] } = useQuery(groupsQuery);
  const [edited, setEdited] = useState<User | 'new'>();
  const [invited, setInvited] = useState<Schemas['Invitation']>();
  const remove = useRemoval('users', 'groups', 'grants', 'tokens');
  const key = useKey();
  const told = (e: Error, name: string) =>
    notifications.show({ color: 'red', title: name, message: e.message, autoClose: 15_000 });
  const change = useMutation({
    mutationFn: ({ name, body }: { name: string; body: { unlock: true } | { totp: false } }) =>
      send('PATCH', `/v1/users/${name}`, body, { key: key([name, body]) }),
    onSuccess: () => {
      key.renew();
      void queries.invalidateQueries({ queryKey: ['users'] });
    },
    onError: (e, { name }) => told(e, name),
  });
  const invite = useMutation({
    mutationFn: (name: string) => send<Schemas['Invitation']>('POST', `/v1/users/${name}:invite`),
    onSuccess: setInvited,
    onError: told,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: titles follow the language
  const columns = useMemo((): Column<User>[] => {
    const askTotp = ({ name }: User) =>
      modals.openConfirmModal({
        title: t('people.totpOff', { name }),
        children: <Text size="sm">{t('people.totpOffDoc')}</Text>,
        labels: { confirm: t('people.totpOffDo'), cancel: t('common.cancel') },
        confirmProps: { color: 'red' },
        onConfirm: () => change.mutate({ name, body: { totp: false } }),
      });
    return [
      { id: 'name', title: fieldTitle('name'), width: 170, cell: (u) => u.name },
      { id: 'title', title: fieldTitle('title'), width: 170, cell: (u) => u.title },
      { id: 'groups', title: fieldTitle('groups'), width: 200, cell: (u) => u.groups.join(', ') },
      { id: 'state', title: fieldTitle('state'), width: 200, cell: (u) => <Standing user={u} /> },
      { id: 'lastLoginAt', title: fieldTitle('lastLoginAt'), width: 130, cell: (u) => <Ago time={u.lastLoginAt} /> },
      { id: 'createdAt', title: fieldTitle('createdAt'), width: 130, cell: (u) => <Ago time={u.createdAt} /> },
      {
        id: 'actions',
        title: t('setup.actions'),
        width: 180,
        cell: (u) =>
          manages && (
            <Group gap={2} wrap="nowrap">
              <Act
                label={t('drivers.change', { name: u.name })}
                icon={<IconPencil size={15} />}
                onClick={() => setEdited(u)}
              />
              {!u.singleSignOn && (
                <Act
                  label={t('people.invite', { name: u.name })}
                  icon={<IconMailForward size={15} />}
                  onClick={() => invite.mutate(u.name)}
                />
              )}
              {u.lockedUntil && (
                <Act
                  label={t('people.unlock', { name: u.name })}
                  icon={<IconLockOpen size={15} />}
                  onClick={() => change.mutate({ name: u.name, body: { unlock: true } })}
                />
              )}
              {u.totp && (
                <Act
                  label={t('people.totpOff', { name: u.name })}
                  icon={<IconShieldOff size={15} />}
                  onClick={() => askTotp(u)}
                />
              )}
              <Remove name={u.name} onClick={() => remove(`/v1/users/${u.name}`, u.name, t('people.deleteUser'))} />
            </Group>
          ),
      },
    ];
  }, [manages, i18n.language]);
  const old = edited === 'new' ? undefined : edited;
  return (
    <>
      {manages && <Add label={t('people.addUser')} onClick={() => setEdited('new')} />}
      {error && <Failure error={error} />}
      <DataTable
        name="users"
        label={t('people.users')}
        rows={users}
        rowId={(u) => u.name}
        columns={columns}
        loading={isPending}
        empty={t('people.noUsers')}
      />
      <Editor
        opened={edited !== undefined}
        title={old ? t('drivers.change', { name: old.name }) : t('people.addUser')}
        onClose={() => setEdited(undefined)}
      >
        <SheetForm
          sheet={{
            body: old ? 'UserChange' : 'UserRequest',
            owner: 'user',
            path: old ? `/v1/users/${old.name}` : '/v1/users',
            old,
            choices: { groups: { values: groups.map((g) => g.name), open: true } },
            without: old ? ['password', 'unlock', 'totp', ...(old.singleSignOn ? ['groups'] : [])] : [],
            shown: ['users', 'groups'],
            submit: old ? t('drivers.save') : t('resource.create'),
          }}
          onDone={() => setEdited(undefined)}
        />
      </Editor>
      <Modal
        opened={invited !== undefined}
        onClose={() => setInvited(undefined)}
        title={invited && t('people.invite', { name: invited.user })}
        size="lg"
        closeButtonProps={{ 'aria-label': t('common.close') }}
      >
        {invited && (
          <Stack gap="xs">
            <Secrets secrets={{ link: window.location.origin + invited.path }} doc={t('people.invited')} />
            <Text size="sm" c="dimmed">
              {t('people.inviteEnds')} <Ago time={invited.expiresAt} />
            </Text>
          </Stack>
        )}
      </Modal>
    </>
  );
}

/** Standing says what keeps a user out, and by what it comes in. */
function Standing({ user: u }: { user: User }) {
  const { t } = useTranslation();
  const badge = (color: string, text: string) => (
    <Badge key={text} size="sm" tt="none" variant="light" color={color}>
      {text}
    </Badge>
  );
  return (
    <Group gap={4} wrap="nowrap">
      {u.disabled && badge('red', t('people.disabled'))}
      {u.lockedUntil && badge('orange', t('people.locked'))}
      {u.singleSignOn ? badge('blue', t('people.singleSignOn')) : !u.password && badge('gray', t('people.noPassword'))}
      {u.totp && badge('teal', t('people.totp'))}
    </Group>
  );
}
