import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../api/client';
import { rolesQuery, tokensQuery, usersQuery } from '../api/queries';
import { meQuery, useMay } from '../api/rights';
import { Secrets } from '../form/SchemaForm';
import { fieldTitle } from '../i18n/words';
import { everything } from '../model/rights';
import { type Column, DataTable } from '../table/DataTable';
import { Ago, Expires, Failure } from './parts';
import { useRemoval } from './removal';
import { Add, Remove } from './rows';
import { Editor, SheetForm } from './Sheet';

type Token = Schemas['APIToken'];

/** Tokens shows those of a user, or of all, and makes and revokes them. */
export function Tokens({ user }: { user?: string }) {
  const { t, i18n } = useTranslation();
  const { data: tokens, error, isPending } = useQuery(tokensQuery);
  const { data: me } = useQuery(meQuery);
  const may = useMay();
  const manages = may('manage', 'person', everything);
  const [opened, setOpened] = useState(false);
  const revoke = useRemoval('tokens');
  const rows = useMemo(() => tokens?.filter((x) => !user || x.user === user) ?? [], [tokens, user]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: titles follow the language
  const columns = useMemo(
    (): Column<Token>[] => [
      { id: 'name', title: fieldTitle('name'), width: 180, cell: (x) => x.name },
      ...(user ? [] : [{ id: 'user', title: fieldTitle('user'), width: 150, cell: (x: Token) => x.user }]),
      { id: 'roles', title: fieldTitle('roles'), width: 200, cell: (x) => x.roles?.join(', ') ?? t('tokens.allRoles') },
      {
        id: 'expiresAt',
        title: fieldTitle('expiresAt'),
        width: 170,
        cell: (x) => <Expires time={x.expiresAt} since={x.createdAt} />,
      },
      { id: 'lastUsedAt', title: fieldTitle('lastUsedAt'), width: 130, cell: (x) => <Ago time={x.lastUsedAt} /> },
      { id: 'createdAt', title: fieldTitle('createdAt'), width: 130, cell: (x) => <Ago time={x.createdAt} /> },
      {
        id: 'actions',
        title: t('setup.actions'),
        width: 90,
        cell: (x) =>
          (manages || x.user === me?.user) && (
            <Remove name={x.name} onClick={() => revoke(`/v1/tokens/${x.id}`, x.name, t('tokens.revoke'))} />
          ),
      },
    ],
    [user, me, manages, i18n.language],
  );
  return (
    <>
      {(manages || me?.user) && <Add label={t('tokens.create')} onClick={() => setOpened(true)} />}
      {error && <Failure error={error} />}
      <DataTable
        name="tokens"
        label={t('tokens.title')}
        rows={rows}
        rowId={(x) => x.id}
        columns={columns}
        loading={isPending}
        empty={t('tokens.none')}
      />
      <Editor opened={opened} title={t('tokens.create')} onClose={() => setOpened(false)}>
        <Create own={user !== undefined} />
      </Editor>
    </>
  );
}

/** Create makes a token and shows it, which only its answer has. */
function Create({ own }: { own: boolean }) {
  const { t } = useTranslation();
  const { data: me } = useQuery(meQuery);
  const { data: users = [] } = useQuery({ ...usersQuery, enabled: !own });
  const { data: roles = [] } = useQuery({ ...rolesQuery, enabled: !own });
  const [made, setMade] = useState<Schemas['IssuedToken']>();
  if (made) return <Secrets secrets={{ token: made.token }} doc={t('tokens.once')} />;
  const mine = [...new Set(me?.rights.map((r) => r.role))];
  return (
    <SheetForm<Schemas['IssuedToken']>
      sheet={{
        body: 'APITokenRequest',
        owner: 'token',
        path: '/v1/tokens',
        choices: {
          roles: { values: own ? mine : roles.map((r) => r.name) },
          user: { values: users.map((u) => u.name) },
        },
        without: own ? ['user'] : [],
        shown: ['tokens'],
        submit: t('tokens.create'),
      }}
      onDone={setMade}
    />
  );
}
