import { Accordion, Button, Code, Group, Loader, Select, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Schemas, send } from '../api/client';
import { capabilitiesQuery, useDrivers } from '../api/queries';
import { useMay } from '../api/rights';
import { showProblems } from '../form/problems';
import { SchemaForm, useSchemaForm } from '../form/SchemaForm';
import { humanize } from '../i18n/words';
import { inline, type Schema, type Values } from '../model/schema';
import { Failure } from './parts';

type Extension = Schemas['ExtensionOffer'];

/** Extensions offers what only the connection's cloud has: its extensions, and its own API. */
export function Extensions({ connection }: { connection: string }) {
  const { t } = useTranslation();
  const { data: offered, error, isPending, refetch } = useQuery(capabilitiesQuery(connection));
  const { data: drivers = [] } = useDrivers();
  const may = useMay();
  if (error) return <Failure error={error} onRetry={() => void refetch()} />;
  if (isPending) return <Loader size="sm" />;
  const driver = drivers.find((d) => d.name === offered.cloud);
  const run = may('extend', 'connection', connection) ? offered.extensions : [];
  const native = may('native', 'connection', connection) && offered.native;
  const doc = (e: Extension) => driver?.extensions?.find((x) => x.name === e.name)?.doc ?? e.doc;
  return (
    <Stack gap="lg" maw={860}>
      <Text size="sm" c="dimmed">
        {t('extension.doc')}
      </Text>
      {run?.length === 0 && !native && <Text size="sm">{t('extension.none')}</Text>}
      <Accordion variant="contained" keepMounted={false}>
        {run?.map((e) => (
          <Accordion.Item key={e.name} value={e.name}>
            <Accordion.Control>
              <Text size="sm" fw={600}>
                {humanize(e.name)}
              </Text>
              <Text size="xs" c="dimmed">
                {doc(e)}
              </Text>
            </Accordion.Control>
            <Accordion.Panel>
              <Run connection={connection} extension={e} />
            </Accordion.Panel>
          </Accordion.Item>
        ))}
        {native && (
          <Accordion.Item value="native:">
            <Accordion.Control>
              <Text size="sm" fw={600}>
                {t('extension.native')}
              </Text>
              <Text size="xs" c="dimmed">
                {t('extension.nativeDoc')}
              </Text>
            </Accordion.Control>
            <Accordion.Panel>
              <Native connection={connection} doc={driver?.native ?? native} />
            </Accordion.Panel>
          </Accordion.Item>
        )}
      </Accordion>
    </Stack>
  );
}

/** Run is the form of an extension, made from its schema, and its answer. */
function Run({ connection, extension }: { connection: string; extension: Extension }) {
  const { t } = useTranslation();
  const schema = inline(extension.input as Schema);
  const form = useSchemaForm(schema);
  const run = useMutation({
    mutationFn: (values: Values) =>
      send<unknown>(
        'POST',
        `/v1/connections/${encodeURIComponent(connection)}/extensions/${extension.name}`,
        values ?? {},
      ),
    onError: (e) => showProblems(form, e),
  });
  return (
    <Stack gap="sm">
      <SchemaForm
        form={form}
        schema={schema}
        place={{ connection, owner: `extension:${extension.name}` }}
        error={run.error}
        submit={t('extension.run')}
        pending={run.isPending}
        onSubmit={(values) => run.mutate(values)}
      />
      {run.data !== undefined && <Answer value={run.data} />}
    </Stack>
  );
}

function Answer({ value }: { value: unknown }) {
  const { t } = useTranslation();
  return (
    <Stack gap={4} role="region" aria-label={t('extension.answer')} aria-live="polite">
      <Text size="xs" fw={600}>
        {t('extension.answer')}
      </Text>
      <Code block mah={420} style={{ overflow: 'auto' }}>
        {typeof value === 'string' ? value : JSON.stringify(value, null, 2)}
      </Code>
    </Stack>
  );
}

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'];

/** Native sends a request to the cloud's own API, signed by the driver. */
function Native({ connection, doc }: { connection: string; doc: string }) {
  const { t } = useTranslation();
  const [request, setRequest] = useState({ service: '', method: 'GET', path: '/', query: '', headers: '', body: '' });
  const set = (change: Partial<typeof request>) => setRequest({ ...request, ...change });
  const call = useMutation({
    mutationFn: () =>
      send<Schemas['NativeResponse']>('POST', `/v1/connections/${encodeURIComponent(connection)}/native`, {
        service: request.service.trim(),
        method: request.method,
        path: request.path || undefined,
        query: request.query ? many(new URLSearchParams(request.query)) : undefined,
        headers: request.headers ? headers(request.headers) : undefined,
        body: request.body || undefined,
      }),
  });
  const mono = { input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 12 } };
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        call.mutate();
      }}
    >
      <Stack gap="sm">
        <Text size="sm">{doc}</Text>
        <Text size="xs" c="dimmed">
          {t('extension.careful')}
        </Text>
        <Group gap={6} align="flex-start">
          <TextInput
            label={t('extension.service')}
            withAsterisk
            value={request.service}
            onChange={(e) => set({ service: e.currentTarget.value })}
          />
          <Select
            w={110}
            label={t('extension.method')}
            data={methods}
            value={request.method}
            onChange={(m) => set({ method: m ?? 'GET' })}
            allowDeselect={false}
          />
          <TextInput
            flex={1}
            label={t('extension.path')}
            styles={mono}
            value={request.path}
            onChange={(e) => set({ path: e.currentTarget.value })}
          />
        </Group>
        <TextInput
          label={t('extension.query')}
          placeholder="Action=DescribeVpcs&amp;MaxResults=5"
          styles={mono}
          value={request.query}
          onChange={(e) => set({ query: e.currentTarget.value })}
        />
        <Textarea
          label={t('extension.headers')}
          placeholder="X-Amz-Target: …"
          autosize
          styles={mono}
          value={request.headers}
          onChange={(e) => set({ headers: e.currentTarget.value })}
        />
        <Textarea
          label={t('extension.body')}
          autosize
          minRows={3}
          maxRows={12}
          styles={mono}
          value={request.body}
          onChange={(e) => set({ body: e.currentTarget.value })}
        />
        {call.error && <Failure error={call.error} />}
        <Group>
          <Button type="submit" loading={call.isPending} disabled={request.service.trim() === ''}>
            {t('extension.call')}
          </Button>
        </Group>
        {call.data && (
          <>
            <Text size="sm" fw={600}>
              {t('extension.status', { status: call.data.status })}
            </Text>
            <Answer value={pretty(call.data.body ?? '')} />
          </>
        )}
      </Stack>
    </form>
  );
}

function many(params: URLSearchParams): Record<string, string[]> {
  return Object.fromEntries([...new Set(params.keys())].map((k) => [k, params.getAll(k)]));
}

function headers(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .split('\n')
      .map((line) => line.split(/:(.*)/s))
      .filter(([name]) => name?.trim())
      .map(([name = '', value = '']) => [name.trim(), value.trim()]),
  );
}

function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body; // it is something else
  }
}
