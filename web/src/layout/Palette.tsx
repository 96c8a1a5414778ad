import { useDebouncedValue } from '@mantine/hooks';
import { Spotlight, type SpotlightActionData } from '@mantine/spotlight';
import { IconBolt, IconPlus, IconSearch, IconUserCircle } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type KeyboardEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { kindsQuery, list, type Resource, resourcesPath } from '../api/queries';
import { useMay, useOffers, useReadable } from '../api/rights';
import { kindTitle, stateTitle, verbTitle } from '../i18n/words';
import { command } from '../model/command';
import { everything } from '../model/rights';
import { KindIcon } from '../pages/icons';
import { usePlaces } from './places';

/** How many resources have all that can be done with them listed. */
const few = 2;

/** Palette goes to any page or resource by its name, and begins any action, from the keyboard. */
export function Palette() {
  const { t } = useTranslation();
  const go = useNavigate();
  const [text, setText] = useState('');
  const [query] = useDebouncedValue(text.trim(), 200);
  const { data: kinds = [] } = useQuery(kindsQuery);
  const offers = useOffers();
  const may = useMay();
  const places = usePlaces();
  const readable = useReadable();
  const names = [...new Set(kinds.flatMap((k) => k.actions.map((a) => a.name))), 'release', 'delete'];
  const wanted = command(
    query,
    names.map((name) => ({ name, title: verbTitle(name) })),
  );
  const { data: found = [] } = useQuery({
    queryKey: ['palette', wanted.words],
    enabled: wanted.words.length >= 2,
    queryFn: async ({ signal }) => {
      const q = wanted.words;
      const pages = await Promise.all(
        readable.map((k) => list<Resource>(resourcesPath(k.plural), { filter: [], q }, undefined, signal, 5)),
      );
      return pages.flatMap((p) => p.items);
    },
  });
  const page = (id: string, label: string, to: string, icon: React.ReactNode, search = {}): SpotlightActionData => ({
    id,
    label,
    leftSection: icon,
    onClick: () => void go({ to, search }),
  });
  // What is done asks first, on the page of the resource.
  const doable = found.flatMap((r) => {
    const kind = kinds.find((k) => k.name === r.kind);
    if (!kind || (wanted.verbs.size === 0 && found.length > few)) return [];
    return [...kind.actions.map((a) => a.name), 'release', 'delete']
      .filter((verb) => wanted.verbs.size === 0 || wanted.verbs.has(verb))
      .filter((verb) => offers(r.connection, kind.name, verb, r.labels))
      .map(
        (verb): SpotlightActionData => ({
          id: `${verb}-${r.uid}`,
          label: `${verbTitle(verb)} · ${r.name}`,
          description: [kindTitle(kind), r.connection, stateTitle(r.state)].join(' · '),
          leftSection: <IconBolt size={16} />,
          keywords: query,
          onClick: () =>
            void go({
              to: '/resources/$plural/$connection/$name',
              params: { plural: kind.plural, connection: r.connection, name: r.name },
              search: { run: verb },
            }),
        }),
      );
  });
  const actions = [
    ...(wanted.verbs.size > 0 ? [{ group: t('palette.actions'), actions: doable }] : []),
    {
      group: t('palette.resources'),
      actions: found.map(
        (r): SpotlightActionData => ({
          id: r.uid,
          label: r.name,
          description: [kinds.find((k) => k.name === r.kind)?.title, r.connection, stateTitle(r.state)].join(' · '),
          leftSection: <KindIcon kind={r.kind} />,
          keywords: query,
          onClick: () => {
            const plural = kinds.find((k) => k.name === r.kind)?.plural ?? `${r.kind}s`;
            void go({
              to: '/resources/$plural/$connection/$name',
              params: { plural, connection: r.connection, name: r.name },
            });
          },
        }),
      ),
    },
    ...(wanted.verbs.size === 0 ? [{ group: t('palette.actions'), actions: doable }] : []),
    {
      group: t('palette.pages'),
      actions: [
        ...places.flatMap((p) => p.spots.map((s) => page(s.to, s.title, s.to, s.icon))),
        page('account', t('account.title'), '/account', <IconUserCircle size={16} />),
      ],
    },
    {
      group: t('palette.create'),
      actions: [
        ...readable
          .filter((k) => may('create', k.name))
          .map((k) =>
            page(
              `create-${k.name}`,
              t('resource.createOne', { kind: kindTitle(k) }),
              `/resources/${k.plural}`,
              <IconPlus size={16} />,
              { create: true },
            ),
          ),
        ...(may('create', 'connection', everything)
          ? [page('create-connection', t('setup.title'), '/setup', <IconPlus size={16} />)]
          : []),
      ],
    },
  ].filter((g) => g.actions.length > 0);
  return (
    <Spotlight
      actions={actions}
      query={text}
      onQueryChange={setText}
      limit={40}
      scrollable
      maxHeight={420}
      highlightQuery
      shortcut={['mod + K']}
      nothingFound={t('palette.nothing')}
      searchProps={{
        leftSection: <IconSearch size={18} />,
        placeholder: t('palette.placeholder'),
        'aria-label': t('palette.placeholder'),
        onKeyDown: enterFirst,
      }}
    />
  );
}

/** enterFirst has Enter mean the first of what is shown while nothing is selected: what is found comes later than what is typed. */
function enterFirst(e: KeyboardEvent<HTMLInputElement>) {
  const shown = e.currentTarget.closest('[role=dialog]');
  if (e.key !== 'Enter' || e.nativeEvent.isComposing || shown?.querySelector('[data-selected]')) return;
  shown?.querySelector<HTMLElement>('[data-action]')?.click();
}
