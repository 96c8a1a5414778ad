import {
  Alert,
  Anchor,
  Button,
  Card,
  Code,
  Group,
  List,
  Loader,
  Select,
  SimpleGrid,
  Stack,
  Stepper,
  Text,
  TextInput,
} from '@mantine/core';
import { useForm } from '@mantine/form';
import { useDebouncedValue } from '@mantine/hooks';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { Trans, useTranslation } from 'react-i18next';
import { client, data, type Schemas } from '../api/client';
import {
  connectionsQuery,
  credentialsQuery,
  type Driver,
  lookUp,
  releasesQuery,
  repositoriesQuery,
  useDrivers,
} from '../api/queries';
import { useMay } from '../api/rights';
import { DriverField, DriverFields, Expiry, filled } from '../form/DriverField';
import { useKey, withKey } from '../form/key';
import { showProblems } from '../form/problems';
import { endOf } from '../model/expiry';
import { everything } from '../model/rights';
import { ReleaseCard } from './Drivers';
import { Failure, Head } from './parts';

/** Setup registers a cloud, step by step: driver, credential, region, test. */
export function Setup() {
  const { t } = useTranslation();
  const [step, setStep] = useState(0);
  const [cloud, setCloud] = useState<string>();
  const [credential, setCredential] = useState<string>();
  const may = useMay();
  const { data: drivers = [], error } = useDrivers();
  const { data: repositories = [] } = useQuery({
    ...repositoriesQuery,
    enabled: may('read', 'repository', everything),
  });
  const { data: releases = [] } = useQuery({ ...releasesQuery(), enabled: step === 0 && repositories.length > 0 });
  const driver = drivers.find((d) => d.name === cloud);
  const more = releases.filter((r) => r.compatible && !drivers.some((d) => d.name === r.name));
  const choose = (name: string) => {
    setCloud(name);
    setCredential(undefined);
    setStep(1);
  };
  if (!may('create', 'connection', everything))
    return (
      <div className="page">
        <Head title={t('setup.title')} />
        <Alert color="orange">{t('setup.denied')}</Alert>
      </div>
    );
  return (
    <div className="page page-scroll">
      <Head title={t('setup.title')} />
      {error && <Failure error={error} />}
      <Stepper active={step} onStepClick={(s) => s < step && setStep(s)} maw={860} size="sm">
        <Stepper.Step label={t('setup.cloud')}>
          <SimpleGrid cols={{ base: 1, sm: 2 }} mt="sm">
            {drivers.map((d) => (
              <Card key={d.name} withBorder component="button" type="button" ta="left" onClick={() => choose(d.name)}>
                <Text fw={600}>{d.title}</Text>
                <Text size="sm" c="dimmed">
                  {d.doc}
                </Text>
              </Card>
            ))}
          </SimpleGrid>
          {more.length > 0 && (
            <>
              <Text size="sm" fw={600} mt="lg">
                {t('setup.fromRepositories')}
              </Text>
              <SimpleGrid cols={{ base: 1, sm: 2 }} mt="xs">
                {more.map((r) => (
                  <ReleaseCard key={`${r.repository}/${r.name}`} release={r} onInstalled={(d) => choose(d.name)} />
                ))}
              </SimpleGrid>
            </>
          )}
          <Text size="sm" c="dimmed" mt="md">
            <Trans
              i18nKey="setup.otherClouds"
              components={{ drivers: <Anchor component={Link} inherit underline="always" to="/drivers" /> }}
            />
          </Text>
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

const none = '';

function CredentialStep({ driver, onDone }: { driver: Driver; onDone: (name: string | undefined) => void }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const may = useMay();
  const { data: credentials = [] } = useQuery({ ...credentialsQuery, enabled: may('read', 'credential', everything) });
  const mine = credentials.filter((c) => c.cloud === driver.name);
  const [existing, setExisting] = useState<string | null>(null);
  const optional = !driver.credential?.some((f) => f.required);
  const form = useForm({
    initialValues: {
      name: `${driver.name}-credential`,
      expires: '',
      values: Object.fromEntries((driver.credential ?? []).map((f) => [f.name, none])),
    },
  });
  const key = useKey();
  const create = useMutation({
    mutationFn: () =>
      data(
        client.POST('/v1/credentials', {
          ...withKey(key(form.values)),
          body: {
            name: form.values.name,
            cloud: driver.name,
            values: filled(form.values.values),
            expiresAt: endOf(form.values.expires),
          },
        }),
      ),
    onSuccess: async (c) => {
      await queries.invalidateQueries({ queryKey: credentialsQuery.queryKey });
      onDone(c.name);
    },
    onError: (e) => showProblems(form, e),
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
            <DriverField
              key={f.name}
              field={f}
              value={form.values.values[f.name] ?? ''}
              error={form.errors[`values.${f.name}`]}
              onChange={(v) => form.setFieldValue(`values.${f.name}`, v)}
            />
          ))}
          <Expiry
            value={form.values.expires}
            error={form.errors.expiresAt}
            onChange={(v) => form.setFieldValue('expires', v)}
          />
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
  const form = useForm({
    initialValues: {
      name: '',
      region: '',
      zone: '',
      settings: Object.fromEntries((driver.settings ?? []).map((f) => [f.name, none])),
    },
  });
  const key = useKey();
  const create = useMutation({
    mutationFn: (check: boolean) => {
      const { name, region, zone, settings } = form.values;
      return data(
        client.POST('/v1/connections', {
          ...withKey(key([form.values, check])),
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
    onError: (e) => showProblems(form, e),
  });
  const settings = driver.settings ?? [];
  const [given] = useDebouncedValue(JSON.stringify(filled(form.values.settings)), 600);
  const draft = { credential, settings: JSON.parse(given) as Record<string, string> };
  const ready = settings.every((f) => !f.required || draft.settings[f.name]);
  // Without a connection the cloud is asked with what was entered so far.
  const asked = <T,>(plural: string, region?: string) => ({
    queryKey: ['look-up', driver.name, plural, credential, given, region],
    enabled: ready && region !== '' && (driver.catalogs ?? []).includes(plural.slice(0, -1)),
    retry: false,
    gcTime: 0,
    queryFn: async ({ signal }: { signal: AbortSignal }) =>
      (await lookUp<T>(driver.name, plural, { ...draft, region }, signal)).items,
  });
  const { data: regions = [], error: noRegions, isFetching } = useQuery(asked<Schemas['Region']>('regions'));
  const { data: zones = [] } = useQuery(asked<Schemas['Zone']>('zones', form.values.region));
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
            nothingFoundMessage={t('pick.nothing')}
            data={regions.map((r) => ({ value: r.name, label: r.title ? `${r.title} (${r.name})` : r.name }))}
            searchable
            {...region}
            value={form.values.region || null}
            onChange={(r) => form.setValues({ region: r ?? '', zone: '' })}
          />
        ) : (
          <TextInput
            label={t('setup.region')}
            description={t(isFetching ? 'setup.askingRegions' : 'setup.regionDoc')}
            rightSection={isFetching && <Loader size="xs" />}
            {...region}
          />
        )}
        {noRegions && !isFetching && (
          <Stack gap={4}>
            <Text size="xs">{t('setup.noRegions')}</Text>
            <Failure error={noRegions} />
          </Stack>
        )}
        {zones.length > 0 ? (
          <Select
            label={t('setup.zone')}
            description={t('setup.zoneDoc')}
            data={zones.map((z) => z.name)}
            searchable
            clearable
            {...form.getInputProps('zone')}
            value={form.values.zone || null}
            onChange={(z) => form.setFieldValue('zone', z ?? '')}
          />
        ) : (
          <TextInput label={t('setup.zone')} description={t('setup.zoneDoc')} {...form.getInputProps('zone')} />
        )}
        <DriverFields
          fields={settings}
          values={form.values.settings}
          errors={form.errors}
          at="settings"
          onChange={(name, v) => form.setFieldValue(`settings.${name}`, v)}
        />
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
