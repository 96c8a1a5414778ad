import { queryOptions, useQuery } from '@tanstack/react-query';
import { useCallback, useMemo } from 'react';
import { offered } from '../model/offers';
import { allowed } from '../model/rights';
import { client, data, type Schemas } from './client';
import { catalogsQuery, connectionsQuery, driversQuery, type Kind, kindsQuery } from './queries';

export type Me = Schemas['Me'];

/** meQuery reads who is logged in, with what this one may do, which may change at any time. */
export const meQuery = queryOptions({
  queryKey: ['me'],
  staleTime: 10_000,
  refetchInterval: 60_000,
  queryFn: (): Promise<Me> => data(client.GET('/v1/me')),
});

/** May says whether who is logged in may do something: in a connection, in all of them (everything), or anywhere. */
export type May = (verb: string, kind: string, connection?: string, labels?: Record<string, string>) => boolean;

/** useMay decides what is offered. */
export function useMay(): May {
  const { data: me } = useQuery(meQuery);
  const { data: kinds } = useQuery(kindsQuery);
  const { data: catalogs } = useQuery(catalogsQuery);
  return useCallback(
    (...asked) => {
      const names = (described: { name: string }[] = []) => described.map((d) => d.name);
      return allowed(me?.rights ?? [], { resource: names(kinds), catalog: names(catalogs) }, ...asked);
    },
    [me, kinds, catalogs],
  );
}

/** useReadable has the kinds of resources that one may see, in a connection or anywhere. */
export function useReadable(connection?: string): Kind[] {
  const { data: kinds } = useQuery(kindsQuery);
  const may = useMay();
  return useMemo(() => kinds?.filter((k) => may('read', k.name, connection)) ?? [], [kinds, may, connection]);
}

/** useOffers says what can be done with a kind's resources on a connection: what its cloud has, and one may do. */
export function useOffers() {
  const { data: kinds } = useQuery(kindsQuery);
  const { data: drivers } = useQuery(driversQuery);
  const { data: connections } = useQuery(connectionsQuery);
  const may = useMay();
  return (connection: string, kind: string, what: string, labels?: Record<string, string>): boolean => {
    const cloud = connections?.find((c) => c.name === connection)?.cloud;
    const offer = drivers?.find((d) => d.name === cloud)?.kinds?.find((k) => k.name === kind);
    const view = kinds?.find((k) => k.name === kind)?.views.find((v) => v.name === what);
    return offered(offer, what) && may(view ? (view.right ?? 'read') : what, kind, connection, labels);
  };
}
