import { Anchor, Button, Card, Code, Group, Progress, Stack, Text, Timeline } from '@mantine/core';
import { modals } from '@mantine/modals';
import { useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { client, data } from '../api/client';
import type { Operation } from '../api/queries';
import { useMay } from '../api/rights';
import { useKey, withKey } from '../form/key';
import { verbTitle } from '../i18n/words';
import { tray } from '../layout/ongoing';
import { cancelling } from '../model/cancel';
import { KindIcon } from './icons';
import { Ago, CloudSays, Failure, ResourceLink, State } from './parts';

/** OperationCard is one operation: how far it is, what happened, and what can be done. */
export function OperationCard({ operation: o, full = false }: { operation: Operation; full?: boolean }) {
  const { t } = useTranslation();
  const path = { params: { path: { id: o.id } } };
  const key = useKey();
  const started = (next: Operation) => {
    key.renew();
    tray.start(next);
  };
  const cancel = useMutation({
    mutationFn: (thenDelete: boolean) =>
      data(
        client.POST('/v1/operations/{id}:cancel', {
          ...path,
          ...withKey(key(['cancel', thenDelete])),
          body: { thenDelete },
        }),
      ),
    onSuccess: started,
  });
  const retry = useMutation({
    mutationFn: () => data(client.POST('/v1/operations/{id}:retry', { ...path, ...withKey(key('retry')) })),
    onSuccess: started,
  });
  const may = useMay();
  const mine = (verb: string) => may(verb, o.kind, o.connection || undefined);
  const way = cancelling(o);
  const how = mine(o.verb) && (way === 'now' || mine('delete')) ? way : undefined;
  const ask = (at: 'parts' | 'end') =>
    modals.openConfirmModal({
      title: t('operation.cancelTitle', { name: o.name }),
      children: (
        <Text size="sm">
          {at === 'parts'
            ? t('operation.cancelling.parts', { name: o.name })
            : t('operation.cancelling.end', { name: o.name })}
        </Text>
      ),
      labels: { confirm: t('operation.cancelAndDelete'), cancel: t('operation.goOn') },
      confirmProps: { color: 'red' },
      onConfirm: () => cancel.mutate(true),
    });
  const items = o.items;
  return (
    <Card withBorder padding="sm">
      <Stack gap={8}>
        <Group justify="space-between" wrap="nowrap">
          <Group gap={6} wrap="nowrap" miw={0}>
            <KindIcon kind={o.kind} />
            <Anchor
              component={Link}
              to="/operations/$id"
              params={{ id: o.id } as never}
              size="sm"
              fw={550}
              onClick={tray.close}
            >
              {verbTitle(o.verb)}
            </Anchor>
            <Text size="sm" truncate>
              {o.items || (o.verb === 'delete' && o.state === 'succeeded') ? (
                o.name
              ) : (
                <ResourceLink kind={o.kind} connection={o.connection} name={o.name} />
              )}
            </Text>
          </Group>
          <State state={o.cancelling && !o.endedAt ? 'cancelling' : o.state} />
        </Group>
        {items && (
          <Progress.Root size="lg">
            <Progress.Section
              value={(100 * (items.ended - items.failed)) / items.total}
              color="teal"
              aria-label={t('operation.progress', { ...items })}
            />
            <Progress.Section
              value={(100 * items.failed) / items.total}
              color="red"
              aria-label={t('operation.failed')}
            />
          </Progress.Root>
        )}
        {items && <Text size="xs">{t('operation.progress', { ...items })}</Text>}
        <Text size="xs" c="dimmed">
          {o.connection} · <Ago time={o.createdAt} />
          {o.attempts > 1 && ` · ${t('operation.attempts', { count: o.attempts })}`}
        </Text>
        {o.pending && (
          <Text size="xs" style={{ overflowWrap: 'anywhere' }}>
            {t('operation.pending', { reason: o.pending })}
          </Text>
        )}
        {o.warnings?.map((w) => (
          <Text key={w.message} size="sm" c="orange" style={{ overflowWrap: 'anywhere' }}>
            {w.message}
          </Text>
        ))}
        {o.error && (
          <Stack gap={4}>
            <Text size="sm" c={o.endedAt ? 'red' : undefined} style={{ overflowWrap: 'anywhere' }}>
              <Code>{o.error.code}</Code> {o.error.message}
            </Text>
            {o.error.cloud && <CloudSays cloud={o.error.cloud} />}
          </Stack>
        )}
        {full && o.steps && (
          <Timeline bulletSize={12} lineWidth={2} active={o.steps.length}>
            {o.steps.map((s) => (
              <Timeline.Item
                key={s.at + s.what}
                title={<Text size="sm">{t(`step.${s.what}`)}</Text>}
                color={s.code ? 'red' : 'teal'}
              >
                <Text size="xs" c="dimmed">
                  <Ago time={s.at} />
                </Text>
                {s.message && (
                  <Text size="xs" style={{ overflowWrap: 'anywhere' }}>
                    {s.code && <Code>{s.code}</Code>} {s.message} {s.requestId && <Code>{s.requestId}</Code>}
                  </Text>
                )}
              </Timeline.Item>
            ))}
          </Timeline>
        )}
        {cancel.error && <Failure error={cancel.error} />}
        {retry.error && <Failure error={retry.error} />}
        <Group gap={6}>
          {how && (
            <Button
              size="compact-xs"
              variant="default"
              loading={cancel.isPending}
              onClick={() => (how === 'now' ? cancel.mutate(false) : ask(how))}
            >
              {t('operation.cancel')}
            </Button>
          )}
          {(o.state === 'failed' || o.state === 'cancelled') && mine(o.verb) && (
            <Button size="compact-xs" variant="default" loading={retry.isPending} onClick={() => retry.mutate()}>
              {t('operation.retry')}
            </Button>
          )}
        </Group>
      </Stack>
    </Card>
  );
}
