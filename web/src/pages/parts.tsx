import { Alert, Anchor, Badge, Code, Group, Stack, Text, Title, Tooltip } from '@mantine/core';
import {
  IconAlertTriangle,
  IconClockHour4,
  IconForms,
  IconHandStop,
  IconKey,
  IconLock,
  IconPlugConnectedX,
  IconServerOff,
  IconZoomQuestion,
} from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import i18next from 'i18next';
import { Fragment, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError } from '../api/client';
import { kindsQuery, type Resource } from '../api/queries';
import { problemText } from '../i18n/problems';
import { fieldTitle, stateTitle } from '../i18n/words';
import { expiry } from '../model/expiry';
import type { Schema } from '../model/schema';

const colors: Record<string, string> = {
  available: 'teal',
  running: 'teal',
  succeeded: 'teal',
  stopped: 'gray',
  cancelled: 'gray',
  failed: 'red',
  deleted: 'red',
  unknown: 'orange',
};

/** State is a resource's or operation's state. What goes on by itself pulses. */
export function State({ state, detail }: { state: string; detail?: string }) {
  const color = colors[state] ?? 'blue';
  const badge = (
    <Badge
      color={color}
      variant="dot"
      tt="none"
      fw={500}
      size="md"
      styles={{ root: { cursor: 'inherit', flexShrink: 0 } }}
      className={colors[state] ? undefined : 'busy'}
    >
      {stateTitle(state)}
    </Badge>
  );
  return detail ? <Tooltip label={detail}>{badge}</Tooltip> : badge;
}

/** Ago is a time as people say it, with the exact one as a hint. */
export function Ago({ time }: { time?: string | null }) {
  const { i18n } = useTranslation();
  if (!time)
    return (
      <Text span inherit c="dimmed">
        –
      </Text>
    );
  const date = new Date(time);
  return (
    <time dateTime={time} title={date.toLocaleString(i18n.language)}>
      {ago(date, i18n.language)}
    </time>
  );
}

/** Expires is when something ends, marked when that is soon or over. */
export function Expires({ time, since }: { time?: string; since?: string }) {
  const { i18n } = useTranslation();
  if (!time) return <Ago />;
  return (
    <Group gap={6} wrap="nowrap" component="span" display="inline-flex">
      <time dateTime={time} title={new Date(time).toLocaleString(i18n.language)}>
        {new Date(time).toLocaleDateString(i18n.language)}
      </time>
      <ExpiryMark time={time} since={since} />
    </Group>
  );
}

/** ExpiryMark says that something is over, or soon will be. */
export function ExpiryMark({ time, since }: { time?: string; since?: string }) {
  const { t } = useTranslation();
  const state = expiry(time, Date.now(), since);
  return (
    state && (
      <Badge size="sm" tt="none" color={state === 'over' ? 'red' : 'orange'} variant="light">
        {t(state === 'over' ? 'expiry.over' : 'expiry.soon')}
      </Badge>
    )
  );
}

const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ['second', 60],
  ['minute', 60],
  ['hour', 24],
  ['day', 30],
  ['month', 12],
  ['year', Number.POSITIVE_INFINITY],
];

function ago(date: Date, language: string): string {
  const format = new Intl.RelativeTimeFormat(language, { numeric: 'auto', style: 'short' });
  let value = (date.getTime() - Date.now()) / 1000;
  for (const [unit, size] of steps) {
    if (Math.abs(value) < size) return format.format(Math.round(value), unit);
    value /= size;
  }
  return date.toLocaleString(language);
}

/** Failure is how whatever went wrong is shown: what happened, why, what to do next. */
export function Failure({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { t } = useTranslation();
  const e = error instanceof ApiError ? error : undefined;
  const looks = ((): { title: string; icon: ReactNode; color: string; next?: string } => {
    switch (true) {
      case e?.status === 0:
        return { title: t('failure.network'), icon: <IconPlugConnectedX />, color: 'orange' };
      case e?.status === 401:
        return { title: t('failure.credential'), icon: <IconKey />, color: 'red', next: t('failure.credentialNext') };
      case e?.status === 403:
        return { title: t('failure.denied'), icon: <IconLock />, color: 'red', next: t('failure.deniedNext') };
      case e?.status === 404:
        return { title: t('failure.notFound'), icon: <IconZoomQuestion />, color: 'gray' };
      case e?.status === 409:
        return {
          title: t('failure.conflict'),
          icon: <IconHandStop />,
          color: 'orange',
          next: t('failure.conflictNext'),
        };
      case e?.status === 422:
        return { title: t('failure.invalid'), icon: <IconForms />, color: 'red', next: t('failure.invalidNext') };
      case e?.status === 429:
        return { title: t('failure.throttled'), icon: <IconClockHour4 />, color: 'orange' };
      case e !== undefined && e.status >= 500:
        return { title: t('failure.server'), icon: <IconServerOff />, color: 'red', next: t('failure.serverNext') };
      default:
        return { title: t('failure.other'), icon: <IconAlertTriangle />, color: 'red' };
    }
  })();
  const cloud = e?.problem?.cloud;
  return (
    <Alert color={looks.color} icon={looks.icon} title={looks.title} m={0} role="alert">
      <Stack gap={4}>
        <Text size="sm">{said(e, error)}</Text>
        {looks.next && (
          <Text size="xs" c="dimmed">
            {looks.next}
          </Text>
        )}
        {cloud && <CloudSays cloud={cloud} />}
        {e?.problem?.operation && (
          <Anchor component={Link} to={`/operations/${e.problem.operation}`} size="sm">
            {t('operation.show')}
          </Anchor>
        )}
        {onRetry && (
          <Anchor component="button" type="button" size="sm" onClick={onRetry} ta="left">
            {t('common.retry')}
          </Anchor>
        )}
      </Stack>
    </Alert>
  );
}

/** said is what went wrong in words: those of the rules where the server names one for each field. */
function said(e: ApiError | undefined, error: unknown): string {
  const fields = e?.fields ?? [];
  if (i18next.language === 'en' || fields.length === 0 || !fields.every((f) => f.rule))
    return e?.message ?? String(error);
  return fields.map((f) => `${f.field}: ${problemText(f)}`).join(' · ');
}

/** CloudSays is the cloud's own account of a failure, for its support. */
export function CloudSays({ cloud }: { cloud: { code?: string; message?: string; requestId?: string } }) {
  const { t } = useTranslation();
  return (
    <dl className="facts">
      {cloud.code && (
        <>
          <dt>{t('failure.cloudCode')}</dt>
          <dd>
            <Code>{cloud.code}</Code>
          </dd>
        </>
      )}
      {cloud.message && (
        <>
          <dt>{t('failure.cloudMessage')}</dt>
          <dd>{cloud.message}</dd>
        </>
      )}
      {cloud.requestId && (
        <>
          <dt>{t('failure.requestId')}</dt>
          <dd>
            <Code>{cloud.requestId}</Code>
          </dd>
        </>
      )}
    </dl>
  );
}

/** Head is the top of a page: its title, what belongs to it, and what can be done. */
export function Head({
  title,
  icon,
  aside,
  actions,
}: {
  title: ReactNode;
  icon?: ReactNode;
  aside?: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <Group justify="space-between" gap="sm">
      <Group gap={8} miw={0}>
        {icon}
        <Title order={1} fz="h4" style={{ overflowWrap: 'anywhere' }}>
          {title}
        </Title>
        {aside}
      </Group>
      <Group gap={6}>{actions}</Group>
    </Group>
  );
}

/** Part is a part of a page under its own title. */
export function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Stack gap={8} component="section">
      <Title order={2} fz="sm">
        {title}
      </Title>
      {children}
    </Stack>
  );
}

export function ResourceLink({ kind, connection, name }: { kind: string; connection: string; name: string }) {
  const { data: kinds } = useQuery(kindsQuery);
  const plural = kinds?.find((k) => k.name === kind)?.plural;
  if (!plural) return <>{name}</>;
  return (
    <Anchor
      component={Link}
      inherit
      to="/resources/$plural/$connection/$name"
      params={{ plural, connection, name } as never}
    >
      {name}
    </Anchor>
  );
}

/** Value is one value of a resource, by its schema: names of resources are links. */
export function Value({
  value,
  schema,
  connection,
  compact = false,
}: {
  value: unknown;
  schema?: Schema;
  connection: string;
  compact?: boolean;
}) {
  const { t } = useTranslation();
  if (value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0))
    return (
      <Text span inherit c="dimmed">
        –
      </Text>
    );
  if (typeof value === 'boolean') return value ? t('common.yes') : t('common.no');
  if (Array.isArray(value)) {
    if (typeof value[0] === 'object' && !compact) {
      return (
        <Stack gap={4}>
          {value.map((v, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the items have no name of their own
            <Text key={i} size="sm" component="div">
              <Inline value={v} schema={schema?.items} connection={connection} />
            </Text>
          ))}
        </Stack>
      );
    }
    if (typeof value[0] === 'object') return t('common.count', { count: value.length });
    return value.map((v, i) => (
      <Fragment key={String(v)}>
        {i > 0 && ', '}
        <Value
          value={v}
          schema={{ ...schema?.items, 'x-kind': schema?.['x-kind'] }}
          connection={connection}
          compact={compact}
        />
      </Fragment>
    ));
  }
  if (typeof value === 'object') return <Inline value={value} schema={schema} connection={connection} />;
  if (schema?.['x-kind']) return <ResourceLink kind={schema['x-kind']} connection={connection} name={String(value)} />;
  if (schema?.format === 'date-time') return <Ago time={String(value)} />;
  return compact ? String(value) : <span style={{ whiteSpace: 'pre-wrap' }}>{String(value)}</span>;
}

function Inline({ value, schema, connection }: { value: object; schema?: Schema; connection: string }) {
  return (
    <Group gap={12} component="span" display="inline-flex">
      {Object.entries(value).map(([name, v]) => (
        <span key={name}>
          <Text span inherit c="dimmed">
            {fieldTitle(name)}
          </Text>{' '}
          <Value value={v} schema={schema?.properties?.[name]} connection={connection} />
        </span>
      ))}
    </Group>
  );
}

/** Labels are a resource's labels. */
export function Labels({ labels }: { labels?: Resource['labels'] }) {
  const entries = Object.entries(labels ?? {});
  if (entries.length === 0)
    return (
      <Text span inherit c="dimmed">
        –
      </Text>
    );
  return (
    <Group gap={4} component="span" display="inline-flex">
      {entries.map(([k, v]) => (
        <Badge key={k} variant="default" tt="none" fw={400} size="sm">
          {k}={v}
        </Badge>
      ))}
    </Group>
  );
}
