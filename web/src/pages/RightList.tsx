import { List } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { catalogsQuery, kindsQuery } from '../api/queries';
import { rightText } from '../i18n/rules';
import type { Right } from '../model/rights';

/** RightList says in words what rights give. */
export function RightList({ rights }: { rights: Right[] }) {
  const { data: kinds = [] } = useQuery(kindsQuery);
  const { data: catalogs = [] } = useQuery(catalogsQuery);
  return (
    <List size="sm" spacing={2}>
      {[...new Set(rights.map((r) => rightText(r, { kinds, catalogs })))].map((text) => (
        <List.Item key={text}>{text}</List.Item>
      ))}
    </List>
  );
}
