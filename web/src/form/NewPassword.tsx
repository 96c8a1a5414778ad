import { List, PasswordInput, Stack, VisuallyHidden } from '@mantine/core';
import { IconCheck, IconPoint } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { minLength, passwordRules } from '../model/password';

/** NewPassword asks for a new password, and says while it is typed what it still lacks. */
export function NewPassword({
  value,
  error,
  onChange,
}: {
  value: string;
  error?: ReactNode;
  onChange: (value: string) => void;
}) {
  const { t } = useTranslation();
  const { long, varied } = passwordRules(value);
  const rule = (kept: boolean | undefined, text: string) => (
    <List.Item icon={kept ? <IconCheck size={14} color="var(--mantine-color-teal-text)" /> : <IconPoint size={14} />}>
      {text}
      {kept !== undefined && <VisuallyHidden>: {t(kept ? 'password.kept' : 'password.lacking')}</VisuallyHidden>}
    </List.Item>
  );
  return (
    <Stack gap={6}>
      <PasswordInput
        label={t('password.new')}
        autoComplete="new-password"
        value={value}
        onChange={(e) => onChange(e.currentTarget.value)}
        error={error}
        required
      />
      <List
        size="xs"
        spacing={2}
        withPadding={false}
        style={{ paddingInlineStart: 4 }}
        aria-label={t('password.rules')}
        aria-live="polite"
      >
        {rule(long, t('password.long', { count: minLength }))}
        {rule(varied, t('password.varied'))}
        {rule(undefined, t('password.uncommon'))}
      </List>
    </Stack>
  );
}
