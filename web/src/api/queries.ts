import {
  type InfiniteData,
  keepPreviousData,
  MutationCache,
  QueryCache,
  QueryClient,
  queryOptions,
  useInfiniteQuery,
  useQuery,
} from '@tanstack/react-query';
import { useCallback } from 'react';
import { useTranslation } from 'react-i18next';
import { inLanguage } from '../i18n/driver';
import type { Schema } from '../model/schema';
import { inline } from '../model/schema';
import { ApiError, client, data, type Schemas, send, session, ways } from './client';

export type Resource = Omit<Schemas['EnvelopeRawMessageRawMessage'], 'spec' | 'effective' | 'status' | 'native'> & {
  spec: Record<string, unknown>;
  effective: Record<string, unknown>;
  status: Record<string, unknown>;
  native?: unknown;
};
export type Operation = Schemas['Operation'];
export type Driver = Schemas['Description'];
export type DriverProgress = Schemas['DriverEvent'];
export type Connection = Schemas['Connection'];
export type User = Schemas['User'];
export type Repository = Schemas['Repository'];
export type Release = Schemas['DriverRelease'];
export type Action = Omit<Schemas['ActionInfo'], 'params'> & { params?: Schema };
export type View = Omit<Schemas['ViewInfo'], 'params' | 'answer'> & { params?: Schema; answer: Schema };
export type Kind = Omit<Schemas['KindInfo'], 'create' | 'status' | 'actions' | 'views'> & {
  create: Schema;
  spec: Schema;
  status: Schema;
  actions: Action[];
  views: View[];
};
export type Catalog = Omit<Schemas['CatalogInfo'], 'entry'> & { entry: Schema };

export type Page<T> = { items: T[]; nextPageToken?: string };
export type Pages<T> = InfiniteData<Page<T>, string>;

export function newQueryClient(): QueryClient {
  // Who is refused something may have other rights by now.
  const onError = (error: Error) => {
    if (error instanceof ApiError && error.status === 403) void queries.invalidateQueries({ queryKey: ['me'] });
  };
  const queries = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: {
        staleTime: 30_000,
        // What a retry cannot change is shown at once; a server that restarts is waited for.
        retry: (count, error) => count < 6 && error instanceof ApiError && (error.status === 0 || error.status >= 502),
        retryDelay: (count) => Math.min(500 * 2 ** count, 8000),
      },
    },
  });
  return queries;
}

export const sessionQuery = queryOptions({ queryKey: ['session'], queryFn: session, staleTime: 5 * 60_000 });

export const waysQuery = queryOptions({ queryKey: ['session', 'ways'], queryFn: ways, staleTime: 5 * 60_000 });

const described = { staleTime: Number.POSITIVE_INFINITY };

export const kindsQuery = queryOptions({
  queryKey: ['kinds'],
  ...described,
  queryFn: async (): Promise<Kind[]> => {
    const { items } = await data(client.GET('/v1/kinds'));
    return items.map((k) => {
      const create = inline(k.create as Schema);
      return {
        ...k,
        create,
        spec: create.properties?.spec ?? {},
        status: inline(k.status as Schema),
        actions: k.actions.map((a) => ({ ...a, params: a.params ? inline(a.params as Schema) : undefined })),
        views: k.views.map((v) => ({
          ...v,
          params: v.params ? inline(v.params as Schema) : undefined,
          answer: inline(v.answer as Schema),
        })),
      };
    });
  },
});

export const catalogsQuery = queryOptions({
  queryKey: ['catalogs'],
  ...described,
  queryFn: async (): Promise<Catalog[]> => {
    const { items } = await data(client.GET('/v1/catalogs'));
    return items.map((c) => ({ ...c, entry: inline(c.entry as Schema) }));
  },
});

export const driversQuery = queryOptions({
  queryKey: ['drivers'],
  queryFn: async () => (await data(client.GET('/v1/drivers'))).items,
});

/** useDrivers reads what the drivers say of themselves, in the language of the page. */
export function useDrivers() {
  const { i18n } = useTranslation();
  const select = useCallback((drivers: Driver[]) => drivers.map((d) => inLanguage(d, i18n.language)), [i18n.language]);
  return useQuery({ ...driversQuery, select });
}

export const repositoriesQuery = queryOptions({
  queryKey: ['repositories'],
  queryFn: async () => (await data(client.GET('/v1/repositories'))).items,
});

/** releasesQuery searches the repositories for drivers. */
export function releasesQuery(text = '', repository?: string) {
  return queryOptions({
    queryKey: ['releases', text, repository],
    queryFn: async ({ signal }) =>
      (await data(client.GET('/v1/drivers:search', { params: { query: { text, repository } }, signal }))).items,
  });
}

export const connectionsQuery = queryOptions({
  queryKey: ['connections'],
  queryFn: async () => (await data(client.GET('/v1/connections'))).items,
});

export const credentialsQuery = queryOptions({
  queryKey: ['credentials'],
  queryFn: async () => (await data(client.GET('/v1/credentials'))).items,
});

export const usersQuery = queryOptions({
  queryKey: ['users'],
  queryFn: async (): Promise<User[]> => (await data(client.GET('/v1/users'))).items,
});

export const groupsQuery = queryOptions({
  queryKey: ['groups'],
  queryFn: async () => (await data(client.GET('/v1/groups'))).items,
});

export const rolesQuery = queryOptions({
  queryKey: ['roles'],
  queryFn: async () => (await data(client.GET('/v1/roles'))).items,
});

export const grantsQuery = queryOptions({
  queryKey: ['grants'],
  queryFn: async () => (await data(client.GET('/v1/grants'))).items,
});

/** tokensQuery reads one's own tokens; those of all if one may see who may do what. */
export const tokensQuery = queryOptions({
  queryKey: ['tokens'],
  queryFn: async () => (await data(client.GET('/v1/tokens'))).items,
});

/** capabilitiesQuery reads what a connection offers; the cloud may be asked. */
export function capabilitiesQuery(connection: string) {
  return queryOptions({
    queryKey: ['capabilities', connection],
    queryFn: async () =>
      data(client.GET('/v1/connections/{connection}/capabilities', { params: { path: { connection } } })),
  });
}

/** The order of fields that the API's document sorts by their names. */
const bodyOrder = ['name', 'title', 'user', 'group', 'role', 'verbs', 'kinds', 'connections', 'labels', 'doc'];

/** bodyQuery reads what the body of a request must be, as the API's document says. */
export function bodyQuery(name: keyof Schemas) {
  return queryOptions({
    queryKey: ['document'],
    ...described,
    queryFn: ({ signal }) =>
      send<{ components: { schemas: Record<string, Schema> } }>('GET', '/openapi.json', undefined, { signal }),
    select: ({ components: { schemas } }) => inline({ ...schemas[name], $defs: schemas }, bodyOrder),
  });
}

export function operationQuery(id: string) {
  return queryOptions({
    queryKey: ['operation', id],
    queryFn: () => data(client.GET('/v1/operations/{id}', { params: { path: { id } } })),
  });
}

/** ListQuery is what of a list is asked for. It is kept in the page's address. */
export type ListQuery = { connection?: string; filter: string[]; sort?: string; q?: string };

/** How many rows the first page of a list has, which people wait for, and the others, which are read ahead. */
export const pageSize = 200;
const nextPageSize = 1000;

function listParams(q: ListQuery, size: number, token?: string): URLSearchParams {
  const params = new URLSearchParams(q.filter.map((f) => ['filter', f]));
  if (q.sort) params.set('sort', q.sort);
  if (q.q) params.set('q', q.q);
  params.set('pageSize', String(size));
  if (token) params.set('pageToken', token);
  return params;
}

export function resourcesPath(plural: string, connection?: string): string {
  return connection ? `/v1/connections/${encodeURIComponent(connection)}/${plural}` : `/v1/${plural}`;
}

export function resourcePath(r: { connection: string; name: string }, plural: string): string {
  return `${resourcesPath(plural, r.connection)}/${encodeURIComponent(r.name)}`;
}

/** list reads one page of any list. */
export function list<T>(
  path: string,
  q: ListQuery,
  token?: string,
  signal?: AbortSignal,
  size = pageSize,
  connection?: string,
): Promise<Page<T>> {
  const params = listParams(q, size, token);
  if (connection) params.set('connection', connection);
  return send('GET', `${path}?${params}`, undefined, { signal });
}

/** lookUp reads what a connection that is not there yet would offer. */
export function lookUp<T>(cloud: string, plural: string, draft: Schemas['ConnectionDraft'], signal?: AbortSignal) {
  return send<Page<T>>(
    'POST',
    `/v1/drivers/${encodeURIComponent(cloud)}/catalog/${plural}?pageSize=1000`,
    { ...draft, region: draft.region || undefined },
    { signal },
  );
}

/** Counts is how many resources fit a query, and how many have each value of a field. */
export type Counts = Schemas['Counts'];

/** countsQuery counts what a list would show, by the values of a field. */
export function countsQuery(plural: string, groupBy: string, q: ListQuery = { filter: [] }) {
  const filter = q.connection ? [...q.filter, `connection=${q.connection}`] : q.filter;
  return queryOptions({
    queryKey: ['counts', plural, groupBy, { filter, q: q.q }],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => {
      const params = new URLSearchParams(filter.map((f) => ['filter', f]));
      if (groupBy) params.set('groupBy', groupBy);
      if (q.q) params.set('q', q.q);
      return send<Counts>('GET', `/v1/${plural}:count?${params}`, undefined, { signal });
    },
  });
}

/** all reads every page of a list, up to a limit. */
export async function all<T>(
  path: string,
  q: ListQuery,
  limit = 10_000,
  signal?: AbortSignal,
  connection?: string,
): Promise<T[]> {
  const items: T[] = [];
  let token: string | undefined;
  do {
    const page: Page<T> = await list<T>(path, q, token, signal, 1000, connection);
    items.push(...page.items);
    token = page.nextPageToken;
  } while (token && items.length < limit);
  return items;
}

/** usePages reads a list page by page, as far as it is scrolled. */
export function usePages<T>(key: readonly unknown[], path: string, q: ListQuery, enabled = true) {
  return useInfiniteQuery({
    queryKey: [...key, q],
    enabled,
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => list<T>(path, q, pageParam, signal, pageParam ? nextPageSize : pageSize),
    getNextPageParam: (last) => last.nextPageToken,
    placeholderData: keepPreviousData,
  });
}

export function useResource(connection: string, plural: string, name: string) {
  return useQuery({
    queryKey: ['resource', plural, connection, name],
    queryFn: ({ signal }) => send<Resource>('GET', resourcePath({ connection, name }, plural), undefined, { signal }),
  });
}

/** useCatalogPages reads what a connection offers, as far as it is scrolled. */
export function useCatalogPages<T>(plural: string, connection: string, q: ListQuery) {
  return useInfiniteQuery({
    queryKey: ['catalog', plural, connection, q],
    enabled: connection !== '',
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => list<T>(`/v1/catalog/${plural}`, q, pageParam, signal, pageSize, connection),
    getNextPageParam: (last) => last.nextPageToken,
    placeholderData: keepPreviousData,
  });
}
