import { Button, Group, Select, Stack, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { type Schemas, send } from '../api/client';
import { type Connection, credentialsQuery, type Driver } from '../api/queries';
import { useMay } from '../api/rights';
import { DriverField, DriverFields, Expiry, filled } from '../form/DriverField';
import { useKey } from '../form/key';
import { CatalogPicker } from '../form/pickers';
import { PlaceContext } from '../form/place';
import { showProblems } from '../form/problems';
import { dayOf, endOf } from '../model/expiry';
import { everything } from '../model/rights';
import { Failure } from './parts';

type Credential = Schemas['Credential'];

/** What the server takes for no end. */
const never = '0001-01-01T00:00:00Z';

type Form = { setErrors: (errors: Record<string, string>) => void };

/** useTried sends a change that is tried on the cloud first, unless it is not to be. */
function useTried(path: string, form: Form, shown: string, onDone: () => void) {
  const queries = useQueryClient();
  const key = useKey();
  return useMutation({
    mutationFn: ({ body, check }: { body: unknown; check: boolean }) =>
      send('PATCH', `${path}?check=${check}`, body, { key: key([body, check]) }),
    onSuccess: () => {
      key.renew();
      void queries.invalidateQueries({ queryKey: [shown] });
      onDone();
    },
    onError: (e) => showProblems(form, e),
  });
}

/** Tried is the frame of a form whose change is tried on the cloud. */
function Tried({
  save,
  body,
  children,
}: {
  save: ReturnType<typeof useTried>;
  body: Record<string, unknown>;
  children: ReactNode;
}) {
  const { t } = useTranslation();
  const unchanged = Object.values(body).every((v) => v === undefined);
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        save.mutate({ body, check: true });
      }}
    >
      <Stack gap="sm">
        {children}
        {save.error && <Failure error={save.error} />}
        <Group>
          <Button type="submit" loading={save.isPending} disabled={unchanged}>
            {t('setup.testAndSave')}
          </Button>
          {save.error && (
            <Button variant="default" onClick={() => save.mutate({ body, check: false })}>
              {t('setup.saveAnyway')}
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}

/** CredentialForm replaces what is typed of a credential. */
export function CredentialForm({ old, driver, onDone }: { old: Credential; driver?: Driver; onDone: () => void }) {
  const { t } = useTranslation();
  const form = useForm<{ values: Record<string, string>; expires: string }>({
    initialValues: { values: {}, expires: dayOf(old.expiresAt) },
  });
  const save = useTried(`/v1/credentials/${old.name}`, form, 'credentials', onDone);
  const values = filled(form.values.values);
  const body = {
    values: Object.keys(values).length > 0 ? values : undefined,
    expiresAt: form.values.expires === dayOf(old.expiresAt) ? undefined : (endOf(form.values.expires) ?? never),
  };
  return (
    <Tried save={save} body={body}>
      <Text size="sm" c="dimmed">
        {t('setup.replaceDoc')}
      </Text>
      {driver?.credential?.map((f) => (
        <DriverField
          key={f.name}
          field={{ ...f, required: false }}
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
    </Tried>
  );
}

/** ConnectionForm changes where a connection leads; what lives in it stays. */
export function ConnectionForm({ old, driver, onDone }: { old: Connection; driver?: Driver; onDone: () => void }) {
  const { t } = useTranslation();
  const may = useMay();
  const { data: credentials = [] } = useQuery({
    ...credentialsQuery,
    enabled: may('read', 'credential', everything),
  });
  const before = { credential: old.credential ?? '', zone: old.zone ?? '', settings: old.settings ?? {} };
  const form = useForm<{ credential: string; zone: string; settings: Record<string, string> }>({
    initialValues: before,
  });
  const save = useTried(`/v1/connections/${old.name}`, form, 'connections', onDone);
  const { credential, zone } = form.values;
  const settings = filled(form.values.settings);
  const own = driver?.settings ?? [];
  const same = own.every((f) => (settings[f.name] ?? '') === (before.settings[f.name] ?? ''));
  const body = {
    credential: credential === before.credential ? undefined : credential,
    zone: zone === before.zone ? undefined : zone,
    settings: same ? undefined : settings,
  };
  const [place] = useState({ connection: old.name, owner: 'connection', refinements: {} });
  return (
    <PlaceContext.Provider value={place}>
      <Tried save={save} body={body}>
        <Text size="sm" c="dimmed">
          {t('setup.changeDoc')}
        </Text>
        <Select
          label={t('setup.credential')}
          data={[
            ...new Set([...credentials.filter((c) => c.cloud === old.cloud).map((c) => c.name), before.credential]),
          ].filter(Boolean)}
          value={credential || null}
          onChange={(v) => form.setFieldValue('credential', v ?? '')}
          error={form.errors.credential}
          clearable={before.credential === ''}
        />
        <CatalogPicker
          catalog="zone"
          label={t('setup.zone')}
          description={t('setup.zoneDoc')}
          withAsterisk={false}
          size="sm"
          error={form.errors.zone}
          value={zone}
          onChange={(v) => form.setFieldValue('zone', v)}
        />
        <DriverFields
          fields={own}
          values={form.values.settings}
          errors={form.errors}
          at="settings"
          onChange={(name, v) => form.setFieldValue(`settings.${name}`, v)}
        />
      </Tried>
    </PlaceContext.Provider>
  );
}
