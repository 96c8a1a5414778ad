import {
  Box,
  Button,
  Code,
  Divider,
  Group,
  Paper,
  PasswordInput,
  SegmentedControl,
  Select,
  Stack,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { useLocalStorage } from '@mantine/hooks';
import { type Query, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { Trans, useTranslation } from 'react-i18next';
import { ApiError, asksForCode, login, type Proof, type Session } from '../api/client';
import { sessionQuery, waysQuery } from '../api/queries';
import { meQuery } from '../api/rights';
import { type Language, languages, setLanguage } from '../i18n';
import { Failure } from '../pages/parts';

/** useEntered shows what is seen by who is logged in now; null is nobody. */
export function useEntered() {
  const client = useQueryClient();
  return (session: Session | null) => {
    const before = client.getQueryData(meQuery.queryKey);
    client.setQueryData(sessionQuery.queryKey, session);
    const others = { predicate: (q: Query) => q.queryKey[0] !== 'session' };
    // What somebody else saw is shown to nobody.
    if (before && before.user !== session?.user) void client.resetQueries(others);
    else if (session) void client.invalidateQueries(others);
  };
}

function useEnter() {
  return useMutation({ mutationFn: (proof: Proof) => login(proof), onSuccess: useEntered() });
}

/** useLastWay keeps how one logged in last in this browser, which comes first. */
export function useLastWay() {
  return useLocalStorage<'password' | 'token'>({
    key: 'mcic-login',
    defaultValue: 'token',
    getInitialValueInEffect: false,
  });
}

/** Login lets somebody in; again says that a login has run out. */
export function Login({ again = false }: { again?: boolean }) {
  const { t } = useTranslation();
  const { data: ways } = useQuery(waysQuery);
  const [by, setBy] = useLastWay();
  const form = (
    <Paper p="xl" w="100%" maw={400} withBorder={!again}>
      <Stack>
        <Brand />
        <Text size="sm">{again ? t('login.again') : t('login.intro')}</Text>
        {ways?.singleSignOn && (
          <>
            <Button
              component="a"
              href={`${ways.singleSignOn.path}?${new URLSearchParams({ return: window.location.pathname + window.location.search })}`}
            >
              {t('login.with', { name: ways.singleSignOn.name })}
            </Button>
            <Divider label={t('login.or')} />
          </>
        )}
        {ways?.passwords && (
          <SegmentedControl
            size="xs"
            value={by}
            onChange={(v) => setBy(v as typeof by)}
            data={[
              { value: 'password', label: t('login.byPassword') },
              { value: 'token', label: t('login.token') },
            ]}
          />
        )}
        {ways?.passwords && by === 'password' ? <ByPassword /> : <ByToken />}
        {!again && <LanguageSelect />}
      </Stack>
    </Paper>
  );
  return again ? form : <Entrance>{form}</Entrance>;
}

/** Entrance is a page for who is not logged in. */
export function Entrance({ children }: { children: ReactNode }) {
  return (
    <Box component="main" display="flex" h="100dvh" p="md" style={{ alignItems: 'center', justifyContent: 'center' }}>
      {children}
    </Box>
  );
}

export function Brand() {
  return (
    <Group gap="sm">
      <img src="/icon.svg" width={32} height={32} alt="" />
      <Title order={1} fz="h3">
        mc-infra-connector
      </Title>
    </Group>
  );
}

export function LanguageSelect() {
  const { t, i18n } = useTranslation();
  return (
    <Select
      size="xs"
      w={130}
      aria-label={t('shell.language')}
      value={i18n.language}
      data={Object.entries(languages).map(([value, label]) => ({ value, label }))}
      onChange={(l) => l && setLanguage(l as Language)}
      allowDeselect={false}
    />
  );
}

const refused = (e: unknown) => e instanceof ApiError && e.status === 401;

function ByToken() {
  const { t } = useTranslation();
  const [token, setToken] = useState('');
  const enter = useEnter();
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        enter.mutate({ token: token.trim() });
      }}
    >
      <Stack>
        <PasswordInput
          label={t('login.token')}
          autoComplete="current-password"
          value={token}
          onChange={(e) => setToken(e.currentTarget.value)}
          error={refused(enter.error) ? t('login.wrong') : undefined}
          data-autofocus
          required
        />
        {enter.error && !refused(enter.error) && <Failure error={enter.error} />}
        <Button type="submit" loading={enter.isPending} disabled={token.trim() === ''}>
          {t('login.enter')}
        </Button>
        <Text size="xs" c="dimmed">
          <Trans i18nKey="login.where" components={{ code: <Code /> }} />
        </Text>
      </Stack>
    </form>
  );
}

function ByPassword() {
  const { t } = useTranslation();
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const [code, setCode] = useState<string>(); // undefined until the server asks for it
  const enter = useEnter();
  const coded = asksForCode(enter.error);
  if (coded && code === undefined) setCode('');
  const wrongCode = coded && enter.variables && 'code' in enter.variables && enter.variables.code;
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        enter.mutate({ user: user.trim(), password, code: code?.trim() || undefined });
      }}
    >
      <Stack>
        <TextInput
          label={t('login.user')}
          autoComplete="username"
          autoCapitalize="off"
          value={user}
          onChange={(e) => setUser(e.currentTarget.value)}
          data-autofocus
          required
        />
        <PasswordInput
          label={t('login.password')}
          autoComplete="current-password"
          value={password}
          onChange={(e) => setPassword(e.currentTarget.value)}
          error={refused(enter.error) && !coded ? t('login.wrongPassword') : undefined}
          required
        />
        {code !== undefined && (
          <TextInput
            label={t('login.code')}
            description={t('login.codeDoc')}
            autoComplete="one-time-code"
            value={code}
            onChange={(e) => setCode(e.currentTarget.value)}
            error={wrongCode ? t('login.wrongCode') : undefined}
            autoFocus
            required
          />
        )}
        {enter.error && !refused(enter.error) && <Failure error={enter.error} />}
        <Button type="submit" loading={enter.isPending} disabled={user.trim() === '' || password === '' || code === ''}>
          {t('login.enter')}
        </Button>
        <Text size="xs" c="dimmed">
          {t('login.noPassword')}
        </Text>
      </Stack>
    </form>
  );
}
