import { ActionIcon, Button, CloseButton, Group, Pill, Popover, Select, Stack, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconFilterPlus, IconSearch } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { stateTitle } from '../i18n/words';
import { type Filter, formatFilter, parseFilter } from '../model/filter';

/** Field can be filtered by; with options the value is one of them. */
export type FilterField = { id: string; title: string; options?: string[] };

type Props = {
  fields: FilterField[];
  filters: string[];
  onChange: (filters: string[]) => void;
  /** The words that the list is searched for, if it can be. Others are searched by name, as a filter. */
  search?: { words: string; onChange: (words: string) => void };
};

/** FilterBar edits what a list is narrowed by: a search, and filters as pills. */
export function FilterBar({ fields, filters, onChange, search }: Props) {
  const { t } = useTranslation();
  const at = search ? -1 : filters.findIndex((f) => f.startsWith('name~'));
  const current = search?.words ?? (at >= 0 ? (filters[at]?.slice('name~'.length) ?? '') : '');
  const [text, setText] = useState(current);
  useEffect(() => setText(current), [current]);
  const rest = filters.filter((_, i) => i !== at);
  const now = (value: string) =>
    search ? search.onChange(value.trim()) : onChange(value ? [...rest, `name~${value}`] : rest);
  const apply = useDebouncedCallback(now, 250);
  const placeholder = t(search ? 'filter.words' : 'filter.search');
  return (
    <Group gap={6} flex={1} miw={0}>
      <TextInput
        size="xs"
        w={200}
        leftSection={<IconSearch size={14} />}
        placeholder={placeholder}
        aria-label={placeholder}
        data-search
        value={text}
        onChange={(e) => {
          setText(e.currentTarget.value);
          apply(e.currentTarget.value);
        }}
        rightSection={
          text && (
            <CloseButton
              size="xs"
              aria-label={t('filter.clear')}
              onClick={() => {
                setText('');
                now('');
              }}
            />
          )
        }
      />
      <AddFilter fields={fields} onAdd={(f) => onChange([...filters.filter((x) => x !== f), f])} />
      {rest.map((text) => (
        <Pill
          key={text}
          size="md"
          withRemoveButton
          removeButtonProps={{ 'aria-label': t('filter.remove', { filter: text }), tabIndex: 0, 'aria-hidden': false }}
          onRemove={() => onChange(filters.filter((f) => f !== text))}
        >
          {pillText(text, fields)}
        </Pill>
      ))}
    </Group>
  );
}

function pillText(text: string, fields: FilterField[]): string {
  const f = parseFilter(text);
  if (!f) return text;
  const title = fields.find((x) => x.id === f.field)?.title ?? f.field;
  return `${title} ${f.op === '~' ? '∋' : f.op === '!=' ? '≠' : '='} ${f.field === 'state' ? stateTitle(f.value) : f.value}`;
}

function AddFilter({ fields, onAdd }: { fields: FilterField[]; onAdd: (filter: string) => void }) {
  const { t } = useTranslation();
  const [opened, setOpened] = useState(false);
  const [field, setField] = useState<string | null>(fields[0]?.id ?? null);
  const [op, setOp] = useState<Filter['op']>('=');
  const [value, setValue] = useState('');
  const options = fields.find((f) => f.id === field)?.options;
  const ready = field && value !== '';
  return (
    <Popover opened={opened} onChange={setOpened} trapFocus position="bottom-start" shadow="md">
      <Popover.Target>
        <ActionIcon
          variant="default"
          size={30}
          aria-label={t('filter.add')}
          aria-expanded={opened}
          onClick={() => setOpened(!opened)}
        >
          <IconFilterPlus size={16} />
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown>
        <form
          onSubmit={(e) => {
            e.preventDefault();
            if (!ready) return;
            onAdd(formatFilter({ field, op, value }));
            setValue('');
            setOpened(false);
          }}
        >
          <Stack gap="xs" w={240}>
            <Select
              size="xs"
              label={t('filter.field')}
              data={fields.map((f) => ({ value: f.id, label: f.title }))}
              value={field}
              onChange={setField}
              searchable
              comboboxProps={{ withinPortal: false }}
            />
            <Select
              size="xs"
              label={t('filter.compare')}
              data={[
                { value: '=', label: t('filter.equal') },
                { value: '!=', label: t('filter.notEqual') },
                { value: '~', label: t('filter.contains') },
              ]}
              value={op}
              onChange={(v) => setOp((v ?? '=') as Filter['op'])}
              allowDeselect={false}
              comboboxProps={{ withinPortal: false }}
            />
            {options && op !== '~' ? (
              <Select
                size="xs"
                label={t('filter.value')}
                data={options.map((o) => ({ value: o, label: field === 'state' ? stateTitle(o) : o }))}
                value={value || null}
                onChange={(v) => setValue(v ?? '')}
                comboboxProps={{ withinPortal: false }}
              />
            ) : (
              <TextInput
                size="xs"
                label={t('filter.value')}
                value={value}
                onChange={(e) => setValue(e.currentTarget.value)}
              />
            )}
            <Button size="xs" type="submit" disabled={!ready}>
              {t('filter.apply')}
            </Button>
          </Stack>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}
