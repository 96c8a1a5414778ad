import { Button, Code, Group, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { QRCodeSVG } from 'qrcode.react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { account, type Begun } from '../api/account';
import { ApiError } from '../api/client';
import { meQuery } from '../api/rights';
import { Secrets } from '../form/SchemaForm';
import { download } from '../table/export';
import { Failure } from './parts';

/** SecondStep has a login ask for a code of an authenticator app, too, or takes that away again. */
export function SecondStep({ on }: { on: boolean }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [begun, setBegun] = useState<Begun>();
  const [recovery, setRecovery] = useState<string[]>();
  const again = () => void queries.invalidateQueries({ queryKey: meQuery.queryKey });
  if (recovery) {
    return (
      <Stack gap="sm" maw={420}>
        <Secrets
          secrets={{ recoveryCodes: recovery.join('\n') }}
          doc={t('totp.recovery')}
          onSave={(_, text) => download('mcic-recovery-codes.txt', 'text/plain', text)}
        />
        <Group>
          <Button variant="default" onClick={() => setRecovery(undefined)}>
            {t('secret.done')}
          </Button>
        </Group>
      </Stack>
    );
  }
  if (on) {
    return (
      <Proofs
        key="remove"
        doc={t('totp.on')}
        password
        code
        submit={t('totp.remove')}
        color="red"
        send={({ password, code }) => account.removeSecondStep(password, code)}
        onDone={again}
      />
    );
  }
  if (!begun) {
    return (
      <Proofs
        key="begin"
        doc={t('totp.off')}
        password
        submit={t('totp.begin')}
        send={({ password }) => account.beginSecondStep(password)}
        onDone={setBegun}
      />
    );
  }
  return (
    <Stack gap="sm" maw={420}>
      <Text size="sm">{t('totp.scan')}</Text>
      <QRCodeSVG value={begun.uri} size={184} marginSize={4} title={t('totp.qr')} />
      <Text size="sm">
        {t('totp.typed')} <Code>{begun.secret}</Code>
      </Text>
      <Proofs
        doc={t('totp.confirmDoc')}
        code
        submit={t('totp.confirm')}
        send={({ code }) => account.confirmSecondStep(code)}
        onDone={({ recoveryCodes }) => {
          setBegun(undefined);
          setRecovery(recoveryCodes);
          again();
        }}
      />
    </Stack>
  );
}

/** Proofs is a form that asks for the password, a code, or both. */
function Proofs<T>({
  doc,
  password = false,
  code = false,
  submit,
  color,
  send,
  onDone,
}: {
  doc: string;
  password?: boolean;
  code?: boolean;
  submit: string;
  color?: string;
  send: (given: { password: string; code: string }) => Promise<T>;
  onDone: (answer: T) => void;
}) {
  const { t } = useTranslation();
  const [given, setGiven] = useState({ password: '', code: '' });
  const ask = useMutation({ mutationFn: () => send({ ...given, code: given.code.trim() }), onSuccess: onDone });
  const e = ask.error instanceof ApiError ? ask.error : undefined;
  const wrongCode = code && e?.fields.some((f) => f.field === 'code');
  const wrongPassword = password && e?.status === 401 && !wrongCode;
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        ask.mutate();
      }}
    >
      <Stack gap="sm" maw={420}>
        <Text size="sm" c="dimmed">
          {doc}
        </Text>
        {password && (
          <PasswordInput
            label={t('login.password')}
            autoComplete="current-password"
            value={given.password}
            onChange={(e) => setGiven({ ...given, password: e.currentTarget.value })}
            error={wrongPassword && t('password.wrong')}
            required
          />
        )}
        {code && (
          <TextInput
            label={t('login.code')}
            autoComplete="one-time-code"
            value={given.code}
            onChange={(e) => setGiven({ ...given, code: e.currentTarget.value })}
            error={wrongCode && t('login.wrongCode')}
            required
          />
        )}
        {ask.error && !wrongPassword && !wrongCode && <Failure error={ask.error} />}
        <Group>
          <Button
            type="submit"
            color={color}
            loading={ask.isPending}
            disabled={(password && given.password === '') || (code && given.code.trim() === '')}
          >
            {submit}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
