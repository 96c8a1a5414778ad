import { Alert, Box, Button, Code, Group, Paper, PasswordInput, Select, Stack, Text, Title } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Trans, useTranslation } from 'react-i18next';
import { ApiError, login } from '../api/client';
import { sessionQuery } from '../api/queries';
import { type Language, languages, setLanguage } from '../i18n';

/** Login asks for the admin token; again says that a login has run out. */
export function Login({ again = false }: { again?: boolean }) {
  const { t, i18n } = useTranslation();
  const client = useQueryClient();
  const [token, setToken] = useState('');
  const enter = useMutation({
    mutationFn: () => login(token.trim()),
    onSuccess: (session) => {
      client.setQueryData(sessionQuery.queryKey, session);
      void client.invalidateQueries({ predicate: (q) => q.queryKey[0] !== 'session' });
    },
  });
  const unknown = enter.error instanceof ApiError && enter.error.status === 401;
  const form = (
    <Paper p="xl" w="100%" maw={400} withBorder={!again}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          enter.mutate();
        }}
      >
        <Stack>
          <Group gap="sm">
            <img src="/icon.svg" width={32} height={32} alt="" />
            <Title order={1} fz="h3">
              mc-infra-connector
            </Title>
          </Group>
          <Text size="sm">{again ? t('login.again') : t('login.intro')}</Text>
          <PasswordInput
            label={t('login.token')}
            autoComplete="current-password"
            value={token}
            onChange={(e) => setToken(e.currentTarget.value)}
            error={unknown ? t('login.wrong') : undefined}
            data-autofocus
            required
          />
          {enter.error && !unknown && (
            <Alert color="red">
              {enter.error instanceof ApiError && enter.error.status === 0 ? t('failure.network') : enter.error.message}
            </Alert>
          )}
          <Button type="submit" loading={enter.isPending} disabled={token.trim() === ''}>
            {t('login.enter')}
          </Button>
          <Text size="xs" c="dimmed">
            <Trans i18nKey="login.where" components={{ code: <Code /> }} />
          </Text>
          {!again && (
            <Select
              size="xs"
              w={130}
              aria-label={t('shell.language')}
              value={i18n.language}
              data={Object.entries(languages).map(([value, label]) => ({ value, label }))}
              onChange={(l) => l && setLanguage(l as Language)}
              allowDeselect={false}
            />
          )}
        </Stack>
      </form>
    </Paper>
  );
  if (again) return form;
  return (
    <Box component="main" display="flex" h="100dvh" p="md" style={{ alignItems: 'center', justifyContent: 'center' }}>
      {form}
    </Box>
  );
}
