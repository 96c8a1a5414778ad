import {
  Alert,
  Anchor,
  Button,
  Card,
  Code,
  Group,
  List,
  PasswordInput,
  Select,
  SimpleGrid,
  Stack,
  Stepper,
  Switch,
  Text,
  TextInput,
} from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError, client, data, type Schemas } from '../api/client';
import { connectionsQuery, credentialsQuery, type Driver, driversQuery, list } from '../api/queries';
import { Failure, Head } from './parts';

type Field = Schemas['Field'];

/** Setup registers a cloud, step by step: driver, credential, region, test. */
export function Setup() {
  const { t } = useTranslation();
  const [step, setStep] = useState(0);
  const [cloud, setCloud] = useState<string>();
  const [credential, setCredential] = useState<string>();
  const { data: drivers = [], error } = useQuery(driversQuery);
  const driver = drivers.find((d) => d.name === cloud);
  return (
    <div className="page page-scroll">
      <Head title={t('setup.title')} />
      {error && <Failure error={error} />}
      <Stepper active={step} onStepClick={(s) => s < step && setStep(s)} maw={860} size="sm">
        <Stepper.Step label={t('setup.cloud')}>
          <SimpleGrid cols={{ base: 1, sm: 2 }} mt="sm">
            {drivers.map((d) => (
              <Card
                key={d.name}
                withBorder
                component="button"
                type="button"
                ta="left"
                onClick={() => {
                  setCloud(d.name);
                  setCredential(undefined);
                  setStep(1);
                }}
              >
                <Text fw={600}>{d.title}</Text>
                <Text size="sm" c="dimmed">
                  {d.doc}
                </Text>
              </Card>
            ))}
          </SimpleGrid>
        </Stepper.Step>
        <Stepper.Step label={t('setup.credential')}>
          {driver && (
            <CredentialStep
              driver={driver}
              onDone={(name) => {
                setCredential(name);
                setStep(2);
              }}
            />
          )}
        </Stepper.Step>
        <Stepper.Step label={t('setup.connection')}>
          {driver && <ConnectionStep driver={driver} credential={credential} />}
        </Stepper.Step>
      </Stepper>
    </div>
  );
}

/** FieldInput is the input for a field of a driver's description. */
function FieldInput({
  field: f,
  value,
  error,
  onChange,
}: {
  field: Field;
  value: string;
  error?: React.ReactNode;
  onChange: (value: string) => void;
}) {
  const { t } = useTranslation();
  const common = {
    label: f.title,
    description: f.where ? `${f.doc} ${t('setup.where', { where: f.where })}` : f.doc,
    withAsterisk: f.required,
    error,
  };
  if (f.enum?.length)
    return (
      <Select
        {...common}
        data={f.enum}
        value={value || null}
        onChange={(v) => onChange(v ?? '')}
        clearable={!f.required}
      />
    );
  if (f.type === 'bool')
    return (
      <Switch
        label={f.title}
        description={common.description}
        error={error}
        checked={value === 'true'}
        onChange={(e) => onChange(e.currentTarget.checked ? 'true' : '')}
      />
    );
  if (f.secret)
    return (
      <PasswordInput {...common} value={value} onChange={(e) => onChange(e.currentTarget.value)} autoComplete="off" />
    );
  return <TextInput {...common} value={value} onChange={(e) => onChange(e.currentTarget.value)} autoComplete="off" />;
}

function filled(values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([, v]) => v !== ''));
}

const none = '';

function CredentialStep({ driver, onDone }: { driver: Driver; onDone: (name: string | undefined) => void }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const { data: credentials = [] } = useQuery(credentialsQuery);
  const mine = credentials.filter((c) => c.cloud === driver.name);
  const [existing, setExisting] = useState<string | null>(null);
  const optional = !driver.credential?.some((f) => f.required);
  const form = useForm({
    initialValues: {
      name: `${driver.name}-credential`,
      values: Object.fromEntries((driver.credential ?? []).map((f) => [f.name, none])),
    },
  });
  const create = useMutation({
    mutationFn: () =>
      data(
        client.POST('/v1/credentials', {
          body: { name: form.values.name, cloud: driver.name, values: filled(form.values.values) },
        }),
      ),
    onSuccess: async (c) => {
      await queries.invalidateQueries({ queryKey: credentialsQuery.queryKey });
      onDone(c.name);
    },
    onError: (e) =>
      e instanceof ApiError && form.setErrors(Object.fromEntries(e.fields.map((f) => [f.field, f.message]))),
  });
  return (
    <Stack mt="sm" gap="md" maw={560}>
      {mine.length > 0 && (
        <Group align="flex-end">
          <Select
            flex={1}
            label={t('setup.existing')}
            data={mine.map((c) => c.name)}
            value={existing}
            onChange={setExisting}
          />
          <Button disabled={!existing} onClick={() => onDone(existing ?? undefined)}>
            {t('setup.use')}
          </Button>
        </Group>
      )}
      {(driver.permissions?.length ?? 0) > 0 && (
        <Alert title={t('setup.permissions')} color="gray">
          <List size="sm">
            {driver.permissions?.map((p) => (
              <List.Item key={p}>
                <Code>{p}</Code>
              </List.Item>
            ))}
          </List>
        </Alert>
      )}
      <form
        onSubmit={(e) => {
          e.preventDefault();
          create.mutate();
        }}
      >
        <Stack gap="sm">
          <TextInput label={t('setup.credentialName')} withAsterisk {...form.getInputProps('name')} />
          {driver.credential?.map((f) => (
            <FieldInput
              key={f.name}
              field={f}
              value={form.values.values[f.name] ?? ''}
              error={form.errors[`values.${f.name}`]}
              onChange={(v) => form.setFieldValue(`values.${f.name}`, v)}
            />
          ))}
          {create.error && <Failure error={create.error} />}
          <Group>
            <Button type="submit" loading={create.isPending}>
              {t('setup.seal')}
            </Button>
            {optional && (
              <Button variant="default" onClick={() => onDone(undefined)}>
                {t('setup.without')}
              </Button>
            )}
          </Group>
          <Text size="xs" c="dimmed">
            {t('setup.sealed')}
          </Text>
        </Stack>
      </form>
    </Stack>
  );
}

function ConnectionStep({ driver, credential }: { driver: Driver; credential?: string }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const go = useNavigate();
  const { data: connections = [] } = useQuery(connectionsQuery);
  // Another connection of the cloud knows its regions.
  const sibling = connections.find((c) => c.cloud === driver.name);
  const { data: regions = [] } = useQuery({
    queryKey: ['regions', sibling?.name],
    enabled: sibling !== undefined,
    queryFn: async ({ signal }) =>
      (await list<Schemas['Region']>('/v1/catalog/regions', { filter: [] }, undefined, signal, 500, sibling?.name))
        .items,
  });
  const [more, setMore] = useState(false);
  const form = useForm({
    initialValues: {
      name: '',
      region: '',
      zone: '',
      settings: Object.fromEntries((driver.settings ?? []).map((f) => [f.name, none])),
    },
  });
  const create = useMutation({
    mutationFn: (check: boolean) => {
      const { name, region, zone, settings } = form.values;
      return data(
        client.POST('/v1/connections', {
          params: { query: { check } },
          body: {
            name,
            cloud: driver.name,
            credential,
            region: region || undefined,
            zone: zone || undefined,
            settings: filled(settings),
          },
        }),
      );
    },
    onSuccess: async (c) => {
      await queries.invalidateQueries({ queryKey: connectionsQuery.queryKey });
      void go({ to: '/connections/$connection', params: { connection: c.name } });
    },
    onError: (e) =>
      e instanceof ApiError && form.setErrors(Object.fromEntries(e.fields.map((f) => [f.field, f.message]))),
  });
  const settings = driver.settings ?? [];
  const shown = settings.filter((f) => f.required || more);
  const region = form.getInputProps('region');
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        create.mutate(true);
      }}
    >
      <Stack mt="sm" gap="sm" maw={560}>
        <TextInput
          label={t('setup.name')}
          description={t('setup.nameDoc')}
          withAsterisk
          {...form.getInputProps('name')}
        />
        {regions.length > 0 ? (
          <Select
            label={t('setup.region')}
            description={t('setup.regionDoc')}
            data={regions.map((r) => ({ value: r.name, label: r.title ? `${r.title} (${r.name})` : r.name }))}
            searchable
            {...region}
            value={form.values.region || null}
          />
        ) : (
          <TextInput label={t('setup.region')} description={t('setup.regionDoc')} {...region} />
        )}
        <TextInput label={t('setup.zone')} description={t('setup.zoneDoc')} {...form.getInputProps('zone')} />
        {shown.map((f) => (
          <FieldInput
            key={f.name}
            field={f}
            value={form.values.settings[f.name] ?? ''}
            error={form.errors[`settings.${f.name}`]}
            onChange={(v) => form.setFieldValue(`settings.${f.name}`, v)}
          />
        ))}
        {settings.length > shown.length && (
          <Anchor component="button" type="button" size="sm" ta="left" onClick={() => setMore(true)}>
            {t('setup.moreSettings', { count: settings.length - shown.length })}
          </Anchor>
        )}
        {create.error && <Failure error={create.error} />}
        <Group>
          <Button type="submit" loading={create.isPending} disabled={form.values.name === ''}>
            {t('setup.testAndCreate')}
          </Button>
          {create.error && (
            <Button variant="default" onClick={() => create.mutate(false)}>
              {t('setup.createAnyway')}
            </Button>
          )}
          <Button variant="subtle" color="gray" component={Link} to="/connections">
            {t('common.cancel')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
