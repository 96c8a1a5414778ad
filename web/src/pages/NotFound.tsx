import { Anchor, Stack, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { Head } from './parts';

export function NotFound() {
  const { t } = useTranslation();
  return (
    <div className="page">
      <Head title={t('notFound.title')} />
      <Stack gap="xs">
        <Text>{t('notFound.doc')}</Text>
        <Anchor component={Link} to="/">
          {t('nav.overview')}
        </Anchor>
      </Stack>
    </div>
  );
}
