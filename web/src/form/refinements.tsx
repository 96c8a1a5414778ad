import { Button, Select, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../api/client';
import { catalogsQuery, kindsQuery } from '../api/queries';
import { rightText } from '../i18n/rules';
import { fieldTitle } from '../i18n/words';
import { rightOf } from '../model/rights';
import { read } from '../model/schema';
import { addresses } from './cidr';
import { errorAt, Field, ListField } from './fields';
import type { FieldProps, Refinements } from './place';

/**
 * refinements are inputs that do more for one field than its schema tells: by owner
 * and path, such as securitygroup.spec.rules. Everything works without them.
 */
export const refinements: Refinements = {
  'securitygroup.spec.rules': Rules,
  'securitygroup:addrules.rules': Rules,
  'vpc.spec.cidr': Cidr,
  'subnet.spec.cidr': Cidr,
  'role.rules': RoleRules,
  'token.expiresIn': Lifetime,
};

const presets: Record<string, object> = {
  SSH: { direction: 'in', protocol: 'tcp', fromPort: 22, toPort: 22, cidr: '0.0.0.0/0' },
  HTTP: { direction: 'in', protocol: 'tcp', fromPort: 80, toPort: 80, cidr: '0.0.0.0/0' },
  HTTPS: { direction: 'in', protocol: 'tcp', fromPort: 443, toPort: 443, cidr: '0.0.0.0/0' },
  RDP: { direction: 'in', protocol: 'tcp', fromPort: 3389, toPort: 3389, cidr: '0.0.0.0/0' },
  Ping: { direction: 'in', protocol: 'icmp', fromPort: '', toPort: '', cidr: '0.0.0.0/0' },
};

/** Rules edits a security group's rules, with the usual ones at a click. */
function Rules(p: FieldProps) {
  const { t } = useTranslation();
  const at = p.path.join('.');
  const extra = Object.entries(presets).map(([name, rule]) => (
    <Button
      key={name}
      variant="light"
      size="compact-sm"
      aria-label={t('rules.preset', { name })}
      onClick={() => p.form.insertListItem(at, { ...rule })}
    >
      {name}
    </Button>
  ));
  return <ListField {...p} extra={extra} />;
}

/** Cidr says how large a range of addresses is. */
function Cidr(p: FieldProps) {
  const { t, i18n } = useTranslation();
  const size = addresses(String(read(p.form.getValues(), p.path) ?? ''));
  return (
    <div>
      <Field {...p} path={p.path} bare />
      <Text size="xs" c="dimmed" mt={4}>
        {size ? t('cidr.size', { count: size, size: size.toLocaleString(i18n.language) }) : p.schema.description}
      </Text>
    </div>
  );
}

/** RoleRules edits what a role allows, and says it in words. */
function RoleRules(p: FieldProps) {
  const { data: kinds = [] } = useQuery(kindsQuery);
  const { data: catalogs = [] } = useQuery(catalogsQuery);
  return (
    <ListField
      {...p}
      about={(rule) => (
        <Text size="sm" role="note">
          {rightText(rightOf(rule as Schemas['RoleRule']), { kinds, catalogs })}
        </Text>
      )}
    />
  );
}

const day = 24; // hours

/** Lifetime chooses for how many days something lasts. */
function Lifetime(p: FieldProps) {
  const { t } = useTranslation();
  const at = p.path.join('.');
  return (
    <Select
      label={fieldTitle(at)}
      description={t('tokens.lifetime')}
      error={errorAt(p.form, at)}
      data={[7, 30, 90, 365].map((days) => ({ value: `${days * day}h`, label: t('tokens.days', { count: days }) }))}
      placeholder={t('tokens.days', { count: 90 })}
      value={String(read(p.form.getValues(), p.path) ?? '') || null}
      onChange={(v) => p.form.setFieldValue(at, v ?? '')}
      clearable
    />
  );
}
