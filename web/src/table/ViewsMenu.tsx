import { ActionIcon, Button, Group, Menu, TextInput } from '@mantine/core';
import { IconBookmark, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useViews, type View } from './views';

/** ViewsMenu shows a saved view, or saves what is shown as one. */
export function ViewsMenu({
  table,
  current,
  onShow,
}: {
  table: string;
  current: View['search'];
  onShow: (search: View['search']) => void;
}) {
  const { t } = useTranslation();
  const { views, save, remove } = useViews(table);
  const [opened, setOpened] = useState(false);
  const [name, setName] = useState('');
  return (
    <Menu opened={opened} onChange={setOpened} position="bottom-end" width={260} trapFocus={false}>
      <Menu.Target>
        <ActionIcon variant="default" size={30} aria-label={t('views.title')}>
          <IconBookmark size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{views.length > 0 ? t('views.title') : t('views.none')}</Menu.Label>
        {views.map((v) => (
          <Group key={v.name} gap={2} wrap="nowrap">
            <Menu.Item onClick={() => onShow(v.search)}>{v.name}</Menu.Item>
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={t('views.remove', { name: v.name })}
              onClick={() => remove(v.name)}
            >
              <IconTrash size={14} />
            </ActionIcon>
          </Group>
        ))}
        <Menu.Divider />
        <form
          onSubmit={(e) => {
            e.preventDefault();
            if (!name.trim()) return;
            save({ name: name.trim(), search: current });
            setName('');
            setOpened(false);
          }}
        >
          <Group gap={6} p={6} wrap="nowrap">
            <TextInput
              size="xs"
              flex={1}
              aria-label={t('views.name')}
              placeholder={t('views.name')}
              value={name}
              onChange={(e) => setName(e.currentTarget.value)}
              onKeyDown={(e) => e.stopPropagation()} // letters would move through the menu
            />
            <Button size="xs" type="submit" disabled={!name.trim()}>
              {t('views.save')}
            </Button>
          </Group>
        </form>
      </Menu.Dropdown>
    </Menu>
  );
}
