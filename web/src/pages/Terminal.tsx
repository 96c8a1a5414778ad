import {
  Alert,
  Anchor,
  Button,
  Code,
  Group,
  Loader,
  NumberInput,
  PasswordInput,
  SegmentedControl,
  Select,
  Stack,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';
import { modals } from '@mantine/modals';
import { useMutation } from '@tanstack/react-query';
import { lazy, Suspense, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type FieldProblem, send } from '../api/client';
import { type Kind, type Resource, resourcePath } from '../api/queries';
import type { TerminalEnded, TerminalReady, TerminalRequest } from '../api/terminal';
import { problemText } from '../i18n/problems';
import { Failure, ResourceLink } from './parts';

// xterm.js is loaded when somebody connects.
const Screen = lazy(() => import('./Screen'));

type Means = 'keypair' | 'key' | 'password';

type Session = { number: number; request: TerminalRequest; ready?: TerminalReady; over: boolean };

/** TerminalPanel logs in to a resource by SSH, through the server. */
export function TerminalPanel({ kind, r }: { kind: Kind; r: Resource }) {
  const { t } = useTranslation();
  const status = r.status as { sshUser?: string; sshPort?: number; publicAddress?: string; privateAddress?: string };
  const keypair = typeof r.effective.keypair === 'string' ? r.effective.keypair : '';
  const [user, setUser] = useState(status.sshUser ?? '');
  const [port, setPort] = useState<number | string>(status.sshPort ?? 22);
  const [address, setAddress] = useState<'public' | 'private'>(status.publicAddress ? 'public' : 'private');
  const [means, setMeans] = useState<Means>(keypair ? 'keypair' : 'key');
  const [secrets, setSecrets] = useState({ key: '', passphrase: '', password: '' });
  const [session, setSession] = useState<Session>();
  const [ended, setEnded] = useState<{ how?: TerminalEnded }>();
  const problems = ended?.how?.error?.fields ?? [];
  const wrong = (field: string) => {
    const problem = problems.find((p: FieldProblem) => p.field === field);
    return problem && problemText(problem);
  };

  const connect = () => {
    setEnded(undefined);
    setSession({
      number: (session?.number ?? 0) + 1,
      over: false,
      request: {
        user,
        address,
        port: Number(port) || undefined,
        ...(means === 'password' && { password: secrets.password }),
        ...(means === 'key' && { key: secrets.key, passphrase: secrets.passphrase || undefined }),
      },
    });
  };
  const onEnded = (how?: TerminalEnded) => {
    setEnded({ how });
    // A screen on which something was shown stays to be read.
    setSession((s) => (s?.ready ? { ...s, over: true } : undefined));
  };
  const onReady = (ready: TerminalReady) => {
    setSecrets({ key: '', passphrase: '', password: '' });
    setSession((s) => s && { ...s, ready, request: {} });
  };
  const addresses = [
    { value: 'public', label: `${t('terminal.public')} (${status.publicAddress})`, has: status.publicAddress },
    { value: 'private', label: `${t('terminal.private')} (${status.privateAddress})`, has: status.privateAddress },
  ].filter((a) => a.has);

  return (
    <Stack gap="sm" className="terminal-panel">
      {ended && <Ending kind={kind} r={r} ended={ended.how} onForgotten={() => setEnded(undefined)} />}
      {session && !session.ready && (
        <Group gap="xs" role="status">
          <Loader size="xs" />
          <Text size="sm">{t('terminal.connecting', { name: r.name })}</Text>
        </Group>
      )}
      {session?.ready && (
        <Group gap="sm" justify="space-between">
          <Text size="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }} role="status">
            {t(session.over ? 'terminal.was' : 'terminal.connected', {
              user: session.ready.user,
              address: session.ready.address,
            })}{' '}
            {session.ready.new && t('terminal.first')} <Code>{session.ready.hostKey.fingerprint}</Code>
          </Text>
          {!session.over && (
            <Button size="xs" variant="default" onClick={() => setSession(undefined)}>
              {t('terminal.disconnect')}
            </Button>
          )}
        </Group>
      )}
      {session && (
        <Suspense fallback={<Loader size="sm" />}>
          <Screen
            key={session.number}
            path={`${resourcePath(r, kind.plural)}/terminal`}
            request={session.request}
            over={session.over}
            onReady={onReady}
            onEnded={onEnded}
          />
        </Suspense>
      )}
      {(!session || session.over) && (
        <form
          onSubmit={(e) => {
            e.preventDefault();
            connect();
          }}
        >
          <Stack gap="sm" maw={560}>
            <Text size="sm" c="dimmed">
              {t('terminal.doc')}
            </Text>
            <Group gap="sm" align="start" grow preventGrowOverflow={false}>
              <TextInput
                label={t('terminal.user')}
                description={t('terminal.userDoc')}
                value={user}
                onChange={(e) => setUser(e.currentTarget.value)}
                error={wrong('user')}
                autoComplete="off"
                spellCheck={false}
                required
              />
              <NumberInput
                label={t('terminal.port')}
                description={t('terminal.portDoc')}
                value={port}
                onChange={setPort}
                min={1}
                max={65535}
                allowDecimal={false}
                error={wrong('port')}
              />
            </Group>
            {addresses.length > 1 && (
              <Select
                label={t('terminal.address')}
                data={addresses.map(({ value, label }) => ({ value, label }))}
                value={address}
                onChange={(v) => setAddress(v === 'private' ? 'private' : 'public')}
                allowDeselect={false}
              />
            )}
            <SegmentedControl
              aria-label={t('terminal.means')}
              value={means}
              onChange={(v) => setMeans(v as Means)}
              data={[
                { value: 'keypair', label: t('terminal.keypair'), disabled: !keypair },
                { value: 'key', label: t('terminal.key') },
                { value: 'password', label: t('terminal.password') },
              ]}
            />
            {means === 'keypair' && (
              <Text size="sm">
                {t('terminal.keypairDoc')} <ResourceLink kind="keypair" connection={r.connection} name={keypair} />
              </Text>
            )}
            {means === 'key' && (
              <>
                <Textarea
                  label={t('terminal.key')}
                  description={t('terminal.secretDoc')}
                  placeholder="-----BEGIN OPENSSH PRIVATE KEY-----"
                  value={secrets.key}
                  onChange={(e) => setSecrets({ ...secrets, key: e.currentTarget.value })}
                  error={wrong('key')}
                  autoComplete="off"
                  spellCheck={false}
                  minRows={4}
                  maxRows={8}
                  autosize
                  required
                  classNames={{ input: 'mono' }}
                />
                <PasswordInput
                  label={t('terminal.passphrase')}
                  value={secrets.passphrase}
                  onChange={(e) => setSecrets({ ...secrets, passphrase: e.currentTarget.value })}
                  error={wrong('passphrase')}
                  autoComplete="off"
                />
              </>
            )}
            {means === 'password' && (
              <PasswordInput
                label={t('terminal.password')}
                description={t('terminal.secretDoc')}
                value={secrets.password}
                onChange={(e) => setSecrets({ ...secrets, password: e.currentTarget.value })}
                error={wrong('password')}
                autoComplete="off"
                required
              />
            )}
            <Group>
              <Button type="submit">{t(ended ? 'terminal.again' : 'terminal.connect')}</Button>
            </Group>
          </Stack>
        </form>
      )}
    </Stack>
  );
}

/** Ending says how a session ended, and what can be done about it. */
function Ending({
  kind,
  r,
  ended,
  onForgotten,
}: {
  kind: Kind;
  r: Resource;
  ended?: TerminalEnded;
  onForgotten: () => void;
}) {
  const { t } = useTranslation();
  const forget = useMutation({
    mutationFn: () => send('DELETE', `${resourcePath(r, kind.plural)}/hostkeys`),
    onSuccess: onForgotten,
  });
  const reason = ended?.reason ?? 'broken';
  const calm = reason === 'exit' || reason === 'idle' || reason === 'longest' || reason === 'stopping';
  return (
    <Alert color={calm ? 'blue' : 'red'} title={t(`terminal.ended.${reason}`, { code: ended?.exitCode ?? 0 })}>
      <Stack gap="xs">
        {ended?.error && (
          <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
            {ended.error.message}
          </Text>
        )}
        {reason === 'hostkey' && (
          <Anchor
            component="button"
            type="button"
            size="sm"
            w="fit-content"
            onClick={() =>
              modals.openConfirmModal({
                title: t('terminal.forget'),
                children: <Text size="sm">{t('terminal.forgetDoc', { name: r.name })}</Text>,
                labels: { confirm: t('terminal.forget'), cancel: t('common.cancel') },
                confirmProps: { color: 'red' },
                onConfirm: () => forget.mutate(),
              })
            }
          >
            {t('terminal.forget')}
          </Anchor>
        )}
        {forget.error && <Failure error={forget.error} />}
      </Stack>
    </Alert>
  );
}
