import { Badge, Card, Group, Stack, Text } from '@mantine/core';
import { IconPencil } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../api/client';
import { catalogsQuery, connectionsQuery, grantsQuery, kindsQuery, rolesQuery } from '../api/queries';
import { useMay } from '../api/rights';
import { catalogTitle, kindTitle, rightWords, roleDoc, verbTitle } from '../i18n/words';
import { commonKinds, commonVerbs, rightOf } from '../model/rights';
import type { Choices } from '../model/schema';
import { Failure } from './parts';
import { RightList } from './RightList';
import { useRemoval } from './removal';
import { Act, Add, Remove } from './rows';
import { Editor, SheetForm } from './Sheet';

type Role = Schemas['Role'];

/** Roles shows what each role gives, in words, and who has it. */
export function Roles({ manages }: { manages: boolean }) {
  const { t } = useTranslation();
  const { data: roles = [], error } = useQuery(rolesQuery);
  const { data: grants = [] } = useQuery(grantsQuery);
  const [edited, setEdited] = useState<Role | 'new'>();
  const remove = useRemoval('roles');
  const choices = useRuleChoices();
  const old = edited === 'new' ? undefined : edited;
  return (
    <div className="grow page-scroll">
      <Stack gap="sm">
        {manages && <Add label={t('people.addRole')} onClick={() => setEdited('new')} />}
        {error && <Failure error={error} />}
        {roles.map((r) => {
          const have = grants.filter((g) => g.role === r.name).map((g) => g.user ?? g.group);
          return (
            <Card key={r.name} withBorder padding="sm" component="section" aria-label={r.name}>
              <Group justify="space-between" wrap="nowrap">
                <Group gap={6}>
                  <Text size="sm" fw={600}>
                    {r.name}
                  </Text>
                  {r.builtIn && (
                    <Badge variant="default" tt="none" size="sm">
                      {t('people.builtIn')}
                    </Badge>
                  )}
                  <Text size="sm" c="dimmed">
                    {r.builtIn ? roleDoc(r) : r.doc}
                  </Text>
                </Group>
                {manages && !r.builtIn && (
                  <Group gap={2} wrap="nowrap">
                    <Act
                      label={t('drivers.change', { name: r.name })}
                      icon={<IconPencil size={15} />}
                      onClick={() => setEdited(r)}
                    />
                    <Remove
                      name={r.name}
                      onClick={() => remove(`/v1/roles/${r.name}`, r.name, t('people.deleteRole'))}
                    />
                  </Group>
                )}
              </Group>
              <RightList rights={r.rules.map(rightOf)} />
              {have.length > 0 && (
                <Text size="xs" c="dimmed">
                  {t('people.have', { names: [...new Set(have)].join(', ') })}
                </Text>
              )}
            </Card>
          );
        })}
      </Stack>
      <Editor
        opened={edited !== undefined}
        title={old ? t('drivers.change', { name: old.name }) : t('people.addRole')}
        onClose={() => setEdited(undefined)}
      >
        <SheetForm
          sheet={{
            body: old ? 'RoleChange' : 'RoleRequest',
            owner: 'role',
            path: old ? `/v1/roles/${old.name}` : '/v1/roles',
            old,
            choices,
            shown: ['roles', 'me'],
            submit: old ? t('drivers.save') : t('resource.create'),
          }}
          onDone={() => setEdited(undefined)}
        />
      </Editor>
    </div>
  );
}

/** useRuleChoices has what rules can name. */
function useRuleChoices(): Record<string, Choices> {
  const { data: kinds = [] } = useQuery(kindsQuery);
  const { data: catalogs = [] } = useQuery(catalogsQuery);
  const { data: connections = [] } = useQuery({ ...connectionsQuery, enabled: useMay()('read', 'connection') });
  const actions = new Set(kinds.flatMap((k) => k.actions.map((a) => a.name)));
  const verbs = [...new Set([...commonVerbs, ...[...actions].sort()])];
  return {
    'rules.verbs': { values: verbs, titles: Object.fromEntries(verbs.map((v) => [v, verbTitle(v)])) },
    'rules.kinds': {
      values: [...commonKinds, ...kinds.map((k) => k.name), ...catalogs.map((c) => c.name)],
      titles: Object.fromEntries([
        ...commonKinds.map((k) => [k, rightWords('of', k)]),
        ...kinds.map((k) => [k.name, kindTitle(k)]),
        ...catalogs.map((c) => [c.name, catalogTitle(c)]),
      ]),
    },
    'rules.connections': { values: connections.map((c) => c.name), open: true },
  };
}
