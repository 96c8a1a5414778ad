import { Alert, Button, CopyButton, Group, Stack, Text, Textarea } from '@mantine/core';
import { useForm } from '@mantine/form';
import { type ReactNode, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { fieldTitle } from '../i18n/words';
import { check, empty, request, type Schema, type Values, type Wrong } from '../model/schema';
import { Failure } from '../pages/parts';
import { Fields } from './fields';
import { type Form, type Place, PlaceContext } from './place';
import { refinements } from './refinements';

/** useSchemaForm is a form whose rules are those of a schema, which the server checks too. */
export function useSchemaForm(schema: Schema, initial?: Values): Form {
  const { t } = useTranslation();
  const say = (w: Wrong): string => {
    switch (w.rule) {
      case 'required':
        return t('form.required');
      case 'pattern':
        return w.pattern ? t('form.pattern', { pattern: w.pattern }) : t('form.patternAny');
      case 'minLength':
        return t('form.required');
      case 'maxLength':
      case 'minimum':
      case 'maximum':
      case 'minItems':
      case 'maxItems':
        return t(`form.${w.rule}`, { limit: w.limit });
      default:
        return t('form.wrong');
    }
  };
  return useForm<Values>({
    initialValues: { ...(empty(schema) as Values), ...initial },
    validate: (values) => Object.fromEntries(check(schema, request(schema, values)).map((w) => [w.path, say(w)])),
  });
}

type Props = {
  form: Form;
  schema: Schema;
  place: Place;
  /** Fields that are not shown. */
  without?: string[];
  error?: unknown;
  submit: string;
  pending: boolean;
  disabled?: boolean;
  onSubmit: (values: Values) => void;
  children?: ReactNode;
};

/** SchemaForm is a form for anything that a JSON Schema describes. */
export function SchemaForm({
  form,
  schema,
  place,
  without = [],
  error,
  submit,
  pending,
  disabled = false,
  onSubmit,
  children,
}: Props) {
  const { connection, owner } = place;
  const refined = useMemo(() => ({ connection, owner, refinements }), [connection, owner]);
  return (
    <PlaceContext.Provider value={refined}>
      <form
        noValidate
        onSubmit={form.onSubmit((values) => {
          if (!pending) onSubmit(request(schema, values));
        })}
      >
        <Stack gap="sm">
          {children}
          <Fields form={form} schema={schema} path={[]} without={without} />
          {error !== undefined && error !== null && <Failure error={error} />}
          <Group>
            <Button type="submit" loading={pending} disabled={disabled}>
              {submit}
            </Button>
          </Group>
        </Stack>
      </form>
    </PlaceContext.Provider>
  );
}

/** Secrets shows once what the server will not show again. */
export function Secrets({
  secrets,
  doc,
  onSave,
}: {
  secrets: Record<string, string>;
  doc?: string;
  onSave?: (name: string, value: string) => void;
}) {
  const { t } = useTranslation();
  return (
    <Alert color="orange" title={t('secret.title')}>
      <Stack gap="xs">
        <Text size="sm">{doc ?? t('secret.doc')}</Text>
        {Object.entries(secrets).map(([name, value]) => (
          <Stack key={name} gap={4}>
            <Textarea
              label={fieldTitle(name)}
              readOnly
              value={value}
              autosize
              minRows={2}
              maxRows={6}
              styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 11 } }}
            />
            <Group>
              {onSave && (
                <Button size="xs" onClick={() => onSave(name, value)}>
                  {t('secret.save')}
                </Button>
              )}
              {/* Browsers let pages copy only where TLS or the own machine is. */}
              {window.isSecureContext && (
                <CopyButton value={value}>
                  {({ copied, copy }) => (
                    <Button size="xs" variant="default" onClick={copy}>
                      {t(copied ? 'secret.copied' : 'secret.copy')}
                    </Button>
                  )}
                </CopyButton>
              )}
            </Group>
          </Stack>
        ))}
      </Stack>
    </Alert>
  );
}
