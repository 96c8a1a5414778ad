import { ActionIcon, Button, Group } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';

/** Act is a button of a row. */
export function Act({
  label,
  color = 'gray',
  icon,
  onClick,
}: {
  label: string;
  color?: string;
  icon: ReactNode;
  onClick: () => void;
}) {
  return (
    <ActionIcon variant="subtle" color={color} aria-label={label} title={label} onClick={onClick}>
      {icon}
    </ActionIcon>
  );
}

/** Remove is the button of a row that begins its deletion. */
export function Remove({ name, onClick }: { name: string; onClick: () => void }) {
  const { t } = useTranslation();
  return <Act label={t('setup.deleteTitle', { name })} color="red" icon={<IconTrash size={15} />} onClick={onClick} />;
}

/** Add is the button above a list that makes another one. */
export function Add({ label, onClick }: { label: string; onClick: () => void }) {
  return (
    <Group justify="flex-end">
      <Button size="xs" leftSection={<IconPlus size={14} />} onClick={onClick}>
        {label}
      </Button>
    </Group>
  );
}
