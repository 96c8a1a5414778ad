import {
  IconActivity,
  IconHome,
  IconList,
  IconPackage,
  IconPlugConnected,
  IconScale,
  IconTopologyStar3,
  IconUsers,
} from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { catalogsQuery } from '../api/queries';
import { useMay, useReadable } from '../api/rights';
import { catalogTitles, kindTitles } from '../i18n/words';
import { everything } from '../model/rights';
import { KindIcon } from '../pages/icons';

/** Spot is a page that one can go to. */
export type Spot = { to: string; title: string; icon: ReactNode };

/** usePlaces has the pages that show something to who is logged in, under their headings. */
export function usePlaces(): { heading?: string; spots: Spot[] }[] {
  const { t } = useTranslation();
  const kinds = useReadable();
  const { data: catalogs = [] } = useQuery(catalogsQuery);
  const may = useMay();
  const spot = (shown: boolean, to: string, title: string, icon: ReactNode): Spot[] =>
    shown ? [{ to, title, icon }] : [];
  const resources = kinds.map((k) => ({
    to: `/resources/${k.plural}`,
    title: kindTitles(k),
    icon: <KindIcon kind={k.name} />,
  }));
  const any = resources.length > 0;
  return [
    { spots: spot(true, '/', t('nav.overview'), <IconHome size={16} />) },
    { heading: t('nav.resources'), spots: resources },
    {
      heading: t('nav.work'),
      spots: [
        ...spot(any, '/topology', t('topology.title'), <IconTopologyStar3 size={16} />),
        ...spot(any, '/operations', t('nav.operations'), <IconActivity size={16} />),
        ...spot(may('read', 'connection'), '/connections', t('nav.connections'), <IconPlugConnected size={16} />),
        ...spot(may('read', 'driver'), '/drivers', t('drivers.title'), <IconPackage size={16} />),
        ...spot(may('read', 'person', everything), '/people', t('people.title'), <IconUsers size={16} />),
      ],
    },
    {
      heading: t('nav.catalog'),
      spots: [
        ...catalogs.flatMap((c) =>
          spot(may('read', c.name), `/catalog/${c.plural}`, catalogTitles(c), <IconList size={16} />),
        ),
        ...spot(may('read', 'spec'), '/compare', t('compare.title'), <IconScale size={16} />),
      ],
    },
  ].filter((group) => group.spots.length > 0);
}
