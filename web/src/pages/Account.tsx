import { Alert, Button, Group, PasswordInput, SimpleGrid, Stack, Text } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { account } from '../api/account';
import { ApiError, login } from '../api/client';
import { meQuery } from '../api/rights';
import { NewPassword } from '../form/NewPassword';
import { useEntered } from '../layout/Login';
import { passwordRules } from '../model/password';
import { Failure, Head, Part } from './parts';
import { RightList } from './RightList';
import { SecondStep } from './SecondStep';
import { Tokens } from './Tokens';

/** Account is who one is and may do here, and what lets one in. */
export function Account() {
  const { t } = useTranslation();
  const { data: me } = useQuery(meQuery);
  if (!me) return null;
  const roles = [...new Set(me.rights.map((r) => r.role))];
  return (
    <div className="page page-scroll">
      <Head
        title={t('account.title')}
        aside={
          <Text size="sm" c="dimmed">
            {me.name}
          </Text>
        }
      />
      {!me.user && <Alert color="gray">{t('account.admin')}</Alert>}
      <Part title={t('account.may')}>
        {roles.length === 0 && <Text size="sm">{t('account.nothing')}</Text>}
        {roles.map((role) => (
          <Stack key={role} gap={2}>
            <Text size="sm" fw={600}>
              {role}
            </Text>
            <RightList rights={me.rights.filter((r) => r.role === role)} />
          </Stack>
        ))}
      </Part>
      {me.user && (
        <>
          <Part title={t('tokens.own')}>
            <Text size="sm" c="dimmed">
              {t('tokens.doc')}
            </Text>
            <div className="boxed">
              <Tokens user={me.user} />
            </div>
          </Part>
          {me.password && (
            <SimpleGrid cols={{ base: 1, md: 2 }} spacing="xl">
              <Part title={t('account.password')}>
                <PasswordChange user={me.user} />
              </Part>
              <Part title={t('totp.title')}>
                <SecondStep on={me.totp} />
              </Part>
            </SimpleGrid>
          )}
        </>
      )}
    </div>
  );
}

/** PasswordChange ends all logins in browsers; this one begins anew. */
function PasswordChange({ user }: { user: string }) {
  const { t } = useTranslation();
  const entered = useEntered();
  const [old, setOld] = useState('');
  const [fresh, setFresh] = useState('');
  const change = useMutation({
    mutationFn: async () => {
      await account.changePassword(old, fresh);
      return login({ user, password: fresh }).catch(() => null); // who has a second step logs in with its code
    },
    onSuccess: (session) => {
      setOld('');
      setFresh('');
      entered(session);
    },
  });
  const e = change.error instanceof ApiError ? change.error : undefined;
  const wrong = e?.status === 401;
  const refused = e?.fields.some((f) => f.field === 'password');
  const rules = passwordRules(fresh);
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        change.mutate();
      }}
    >
      <Stack gap="sm" maw={420}>
        <Text size="sm" c="dimmed">
          {t('account.passwordDoc')}
        </Text>
        <PasswordInput
          label={t('password.old')}
          autoComplete="current-password"
          value={old}
          onChange={(e) => setOld(e.currentTarget.value)}
          error={wrong && t('password.wrong')}
          required
        />
        <NewPassword value={fresh} error={refused && t('password.refused')} onChange={setFresh} />
        {change.error && !wrong && !refused && <Failure error={change.error} />}
        {change.isSuccess && <Alert color="teal">{t('password.changed')}</Alert>}
        <Group>
          <Button type="submit" loading={change.isPending} disabled={old === '' || !rules.long || !rules.varied}>
            {t('password.change')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
