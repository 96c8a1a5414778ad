import { Tabs } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type ReactNode, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Search } from '../address';
import type { Schemas } from '../api/client';
import { connectionsQuery, grantsQuery, groupsQuery, rolesQuery, usersQuery } from '../api/queries';
import { useMay } from '../api/rights';
import { fieldTitle } from '../i18n/words';
import { everything } from '../model/rights';
import { type Column, DataTable } from '../table/DataTable';
import { Ago, Failure, Head } from './parts';
import { Roles } from './Roles';
import { useRemoval } from './removal';
import { Add, Remove } from './rows';
import { Editor, SheetForm } from './Sheet';
import { Tokens } from './Tokens';
import { Users } from './Users';

const route = getRouteApi('/people');

/** People shows who there is, and what they may do. */
export function People() {
  const { t } = useTranslation();
  const { tab = 'users' } = route.useSearch();
  const go = useNavigate();
  const manages = useMay()('manage', 'person', everything);
  const tabs: Record<string, [title: string, panel: ReactNode]> = {
    users: [t('people.users'), <Users key="users" manages={manages} />],
    groups: [t('people.groups'), <Groups key="groups" manages={manages} />],
    roles: [t('people.roles'), <Roles key="roles" manages={manages} />],
    grants: [t('people.grants'), <Grants key="grants" manages={manages} />],
    tokens: [t('tokens.title'), <Tokens key="tokens" />],
  };
  return (
    <div className="page">
      <Head title={t('people.title')} />
      <Tabs
        value={tab}
        onChange={(v) =>
          void go({
            to: '.',
            search: (old: Search) => ({ ...old, tab: v === 'users' ? undefined : (v ?? undefined) }),
            replace: true,
          })
        }
      >
        <Tabs.List>
          {Object.entries(tabs).map(([name, [title]]) => (
            <Tabs.Tab key={name} value={name}>
              {title}
            </Tabs.Tab>
          ))}
        </Tabs.List>
      </Tabs>
      {tabs[tab]?.[1]}
    </div>
  );
}

type Group = Schemas['UserGroup'];

function Groups({ manages }: { manages: boolean }) {
  const { t, i18n } = useTranslation();
  const { data: groups = [], error, isPending } = useQuery(groupsQuery);
  const [opened, setOpened] = useState(false);
  const remove = useRemoval('groups', 'users', 'grants');
  // biome-ignore lint/correctness/useExhaustiveDependencies: titles follow the language
  const columns = useMemo(
    (): Column<Group>[] => [
      { id: 'name', title: fieldTitle('name'), width: 180, cell: (g) => g.name },
      { id: 'doc', title: fieldTitle('doc'), width: 280, cell: (g) => g.doc },
      { id: 'members', title: fieldTitle('members'), width: 360, cell: (g) => g.members.join(', ') },
      {
        id: 'actions',
        title: t('setup.actions'),
        width: 90,
        cell: (g) =>
          manages && (
            <Remove name={g.name} onClick={() => remove(`/v1/groups/${g.name}`, g.name, t('people.deleteGroup'))} />
          ),
      },
    ],
    [manages, i18n.language],
  );
  return (
    <>
      {manages && <Add label={t('people.addGroup')} onClick={() => setOpened(true)} />}
      {error && <Failure error={error} />}
      <DataTable
        name="groups"
        label={t('people.groups')}
        rows={groups}
        rowId={(g) => g.name}
        columns={columns}
        loading={isPending}
        empty={t('people.noGroups')}
      />
      <Editor opened={opened} title={t('people.addGroup')} onClose={() => setOpened(false)}>
        <SheetForm
          sheet={{
            body: 'UserGroupRequest',
            owner: 'group',
            path: '/v1/groups',
            shown: ['groups'],
            submit: t('resource.create'),
          }}
          onDone={() => setOpened(false)}
        />
      </Editor>
    </>
  );
}

type Grant = Schemas['Grant'];

function Grants({ manages }: { manages: boolean }) {
  const { t, i18n } = useTranslation();
  const { data: grants = [], error, isPending } = useQuery(grantsQuery);
  const { data: users = [] } = useQuery(usersQuery);
  const { data: groups = [] } = useQuery(groupsQuery);
  const { data: roles = [] } = useQuery(rolesQuery);
  const { data: connections = [] } = useQuery({ ...connectionsQuery, enabled: useMay()('read', 'connection') });
  const [opened, setOpened] = useState(false);
  const remove = useRemoval('grants');
  const names = (items: readonly { name: string }[]) => items.map((i) => i.name);
  // biome-ignore lint/correctness/useExhaustiveDependencies: titles follow the language
  const columns = useMemo(
    (): Column<Grant>[] => [
      { id: 'user', title: fieldTitle('user'), width: 170, cell: (g) => g.user },
      { id: 'group', title: fieldTitle('group'), width: 150, cell: (g) => g.group },
      { id: 'role', title: fieldTitle('role'), width: 150, cell: (g) => g.role },
      {
        id: 'connections',
        title: fieldTitle('connections'),
        width: 240,
        cell: (g) => g.connections?.join(', ') ?? t('people.everywhere'),
      },
      { id: 'grantedBy', title: fieldTitle('grantedBy'), width: 130, cell: (g) => g.grantedBy },
      { id: 'createdAt', title: fieldTitle('createdAt'), width: 130, cell: (g) => <Ago time={g.createdAt} /> },
      {
        id: 'actions',
        title: t('setup.actions'),
        width: 90,
        cell: (g) =>
          manages && (
            <Remove
              name={grantName(g)}
              onClick={() => remove(`/v1/grants/${g.id}`, grantName(g), t('people.deleteGrant'))}
            />
          ),
      },
    ],
    [manages, i18n.language],
  );
  return (
    <>
      {manages && <Add label={t('people.addGrant')} onClick={() => setOpened(true)} />}
      {error && <Failure error={error} />}
      <DataTable
        name="grants"
        label={t('people.grants')}
        rows={grants}
        rowId={(g) => g.id}
        columns={columns}
        loading={isPending}
        empty={t('people.noGrants')}
      />
      <Editor opened={opened} title={t('people.addGrant')} onClose={() => setOpened(false)}>
        <SheetForm
          sheet={{
            body: 'GrantRequest',
            owner: 'grant',
            path: '/v1/grants',
            choices: {
              user: { values: names(users) },
              group: { values: names(groups), open: true },
              role: { values: names(roles) },
              connections: { values: names(connections), open: true },
            },
            shown: ['grants'],
            submit: t('people.addGrant'),
          }}
          onDone={() => setOpened(false)}
        />
      </Editor>
    </>
  );
}

const grantName = (g: Grant) => `${g.user ?? g.group} · ${g.role}`;
