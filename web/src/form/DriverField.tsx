import { Anchor, PasswordInput, Select, Switch, TextInput } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../api/client';

type Field = Schemas['Field'];

/** DriverField is the input for a field of a driver's description. */
export function DriverField({
  field: f,
  value,
  error,
  onChange,
}: {
  field: Field;
  value: string;
  error?: ReactNode;
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

/** filled leaves out what is empty. */
export function filled(values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([, v]) => v !== ''));
}

/** DriverFields are the inputs for all fields, those that need not be filled in behind a link. */
export function DriverFields({
  fields,
  values,
  errors,
  at,
  onChange,
}: {
  fields: Field[];
  values: Record<string, string>;
  errors: Record<string, ReactNode>;
  /** Where they are in the form, such as settings. */
  at: string;
  onChange: (name: string, value: string) => void;
}) {
  const { t } = useTranslation();
  const [more, setMore] = useState(false);
  const shown = fields.filter((f) => f.required || values[f.name] || errors[`${at}.${f.name}`] || more);
  return (
    <>
      {shown.map((f) => (
        <DriverField
          key={f.name}
          field={f}
          value={values[f.name] ?? ''}
          error={errors[`${at}.${f.name}`]}
          onChange={(v) => onChange(f.name, v)}
        />
      ))}
      {fields.length > shown.length && (
        <Anchor component="button" type="button" size="sm" ta="left" onClick={() => setMore(true)}>
          {t('setup.moreSettings', { count: fields.length - shown.length })}
        </Anchor>
      )}
    </>
  );
}

/** Expiry asks for the day on which something ends. */
export function Expiry({
  value,
  error,
  onChange,
}: {
  value: string;
  error?: ReactNode;
  onChange: (day: string) => void;
}) {
  const { t } = useTranslation();
  return (
    <TextInput
      type="date"
      label={t('setup.expires')}
      description={t('setup.expiresDoc')}
      value={value}
      error={error}
      onChange={(e) => onChange(e.currentTarget.value)}
    />
  );
}
