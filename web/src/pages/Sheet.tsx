import { Drawer, Loader, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { type Schemas, send } from '../api/client';
import { bodyQuery } from '../api/queries';
import { useKey } from '../form/key';
import { showProblems } from '../form/problems';
import { SchemaForm, useSchemaForm } from '../form/SchemaForm';
import { type Choices, changes, type Schema, type Values, withChoices } from '../model/schema';
import { Failure } from './parts';

/** Editor is a drawer with a form. */
export function Editor({
  opened,
  title,
  onClose,
  children,
}: {
  opened: boolean;
  title: string;
  onClose: () => void;
  children: ReactNode;
}) {
  const { t } = useTranslation();
  return (
    <Drawer
      opened={opened}
      onClose={onClose}
      position="right"
      size={560}
      title={<Text fw={650}>{title}</Text>}
      closeButtonProps={{ 'aria-label': t('common.close') }}
    >
      {opened && children}
    </Drawer>
  );
}

/** Sheet is the form of something that the server records, made from what its document says of the body. */
export type Sheet = {
  /** Name of the body's schema, and of what the refinements of its fields are for. */
  body: keyof Schemas;
  owner: string;
  path: string;
  /** What is changed; absent for a creation. */
  old?: Values;
  choices?: Record<string, Choices>;
  without?: string[];
  /** Names of the queries that show it. */
  shown: string[];
  submit: string;
};

/** SheetForm sends what was filled in; a change has what is not as it was. */
export function SheetForm<T>({ sheet, onDone }: { sheet: Sheet; onDone: (answer: T) => void }) {
  const { data: schema, error } = useQuery(bodyQuery(sheet.body));
  if (error) return <Failure error={error} />;
  if (!schema) return <Loader size="sm" />;
  const chosen = Object.entries(sheet.choices ?? {}).reduce((s, [at, c]) => withChoices(s, at, c), schema);
  return <Filled sheet={sheet} schema={chosen} onDone={onDone} />;
}

function Filled<T>({ sheet, schema, onDone }: { sheet: Sheet; schema: Schema; onDone: (answer: T) => void }) {
  const queries = useQueryClient();
  const { old, path, shown } = sheet;
  const form = useSchemaForm(schema, old);
  const key = useKey();
  const save = useMutation({
    mutationFn: (values: Values) => {
      const body = old ? changes(schema, old, values) : values;
      return send<T>(old ? 'PATCH' : 'POST', path, body, { key: key(body) });
    },
    onSuccess: (answer) => {
      key.renew();
      for (const name of shown) void queries.invalidateQueries({ queryKey: [name] });
      onDone(answer);
    },
    onError: (e) => showProblems(form, e),
  });
  return (
    <SchemaForm
      form={form}
      schema={schema}
      place={{ connection: '', owner: sheet.owner }}
      without={sheet.without}
      error={save.error}
      submit={sheet.submit}
      pending={save.isPending}
      onSubmit={(values) => save.mutate(values)}
    />
  );
}
