import { Text } from '@mantine/core';
import { modals } from '@mantine/modals';
import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { send } from '../api/client';
import { useKey } from '../form/key';

/** useRemoval asks, deletes what the server has at a path, and reads anew what shows it. */
export function useRemoval(...shown: string[]) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const key = useKey();
  const remove = useMutation({
    mutationFn: ({ path }: { path: string; name: string }) => send('DELETE', path, undefined, { key: key(path) }),
    onSuccess: () => {
      key.renew();
      for (const name of shown) void queries.invalidateQueries({ queryKey: [name] });
    },
    onError: (e, { name }) => notifications.show({ color: 'red', title: name, message: e.message, autoClose: 15_000 }),
  });
  return (path: string, name: string, doc: string) =>
    modals.openConfirmModal({
      title: t('setup.deleteTitle', { name }),
      children: <Text size="sm">{doc}</Text>,
      labels: { confirm: t('common.delete'), cancel: t('common.cancel') },
      confirmProps: { color: 'red' },
      onConfirm: () => remove.mutate({ path, name }),
    });
}
