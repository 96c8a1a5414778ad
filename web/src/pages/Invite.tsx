import { Alert, Anchor, Button, Paper, Stack, Text } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError, accept, asksForCode, login, logout } from '../api/client';
import { sessionQuery } from '../api/queries';
import { NewPassword } from '../form/NewPassword';
import { Brand, Entrance, LanguageSelect, useEntered, useLastWay } from '../layout/Login';
import { passwordRules } from '../model/password';
import { Failure } from './parts';

/** Invite lets who has an invitation, in the address behind #, choose a password, and logs in. */
export function Invite() {
  const { t } = useTranslation();
  const go = useNavigate();
  const [code] = useState(() => window.location.hash.slice(1));
  const [password, setPassword] = useState('');
  const { data: session } = useQuery(sessionQuery);
  const entered = useEntered();
  const [, setLastWay] = useLastWay();
  const choose = useMutation({
    mutationFn: async () => {
      const { user } = await accept(code, password);
      if (session) await logout();
      // Who has a second step goes on at the login, with its code.
      return login({ user, password }).catch((e: unknown) => {
        if (asksForCode(e)) return null;
        throw e;
      });
    },
    onSuccess: (session) => {
      setLastWay('password');
      entered(session);
      void go({ to: '/', replace: true });
    },
  });
  const problem =
    choose.error instanceof ApiError ? choose.error.fields.find((f) => f.field === 'password') : undefined;
  const over = code === '' || (choose.error instanceof ApiError && choose.error.status === 404);
  const rules = passwordRules(password);
  return (
    <Entrance>
      <Paper p="xl" w="100%" maw={400} withBorder>
        <Stack>
          <Brand />
          {over ? (
            <Alert color="orange" title={t('invite.over')}>
              <Text size="sm">{t('invite.overDoc')}</Text>
              <Anchor component={Link} to="/" size="sm">
                {t('login.enter')}
              </Anchor>
            </Alert>
          ) : (
            <form
              onSubmit={(e) => {
                e.preventDefault();
                choose.mutate();
              }}
            >
              <Stack>
                <Text size="sm">{t('invite.intro')}</Text>
                {session && <Alert color="gray">{t('invite.other')}</Alert>}
                <NewPassword value={password} error={problem && t('password.refused')} onChange={setPassword} />
                {choose.error && !problem && <Failure error={choose.error} />}
                <Button type="submit" loading={choose.isPending} disabled={!rules.long || !rules.varied}>
                  {t('invite.choose')}
                </Button>
              </Stack>
            </form>
          )}
          <LanguageSelect />
        </Stack>
      </Paper>
    </Entrance>
  );
}
