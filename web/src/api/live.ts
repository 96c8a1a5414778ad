import type { QueryClient } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import { fits } from '../model/filter';
import { found } from '../model/search';
import {
  connectionsQuery,
  type DriverProgress,
  type Kind,
  type ListQuery,
  type Operation,
  type Pages,
  type Resource,
} from './queries';

/** How often what has changed is shown; in between, changes are gathered. */
const gather = 150; // ms

/** How often at most what changes is counted anew. */
const countAgain = 2000; // ms

/** How many pages of a list are read anew because a row may have been added. */
const smallList = 3;

/** What is kept current by events. */
const followed = new Set(['resources', 'resource', 'operations', 'operation', 'counts']);

type Watcher = (connected: boolean) => void;

/**
 * live follows the server's events and keeps what is shown current, without reading it
 * anew: rows change in place. It returns how to stop.
 */
export function live(
  client: QueryClient,
  kinds: Kind[],
  onOperation: (o: Operation) => void,
  onDriver: (p: DriverProgress) => void,
  onConnected: Watcher,
): () => void {
  const plurals = new Map(kinds.map((k) => [k.name, k.plural]));
  let resources = new Map<string, Resource>();
  let gone = new Set<string>();
  const stale = new Set<string>();
  let flushing: ReturnType<typeof setTimeout> | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;
  let counting: ReturnType<typeof setTimeout> | undefined;
  let source: EventSource;

  const flush = () => {
    flushing = undefined;
    const changed = resources;
    const removed = gone;
    resources = new Map();
    gone = new Set();
    counting ??= setTimeout(() => {
      counting = undefined;
      void client.invalidateQueries({ queryKey: ['counts'] });
    }, countAgain);
    // What a list is filtered by besides is of the resource's connection.
    const places = new Map(client.getQueryData(connectionsQuery.queryKey)?.map((c) => [c.name, c]));
    const belongs = (q: ListQuery) => (r: Resource) => {
      const place = places.get(r.connection);
      return fits({ ...r, cloud: place?.cloud, region: place?.region }, q.filter) && found(r, q.q);
    };
    for (const query of client.getQueryCache().findAll({ queryKey: ['resources'] })) {
      const [, plural, q] = query.queryKey as [string, string, ListQuery];
      const pages = query.state.data as Pages<Resource> | undefined;
      if (!pages) continue;
      const mine = new Map(
        [...changed].filter(
          ([, r]) => plurals.get(r.kind) === plural && (!q.connection || q.connection === r.connection),
        ),
      );
      const { next, added } = patch(pages, mine, removed, belongs(q));
      if (next !== pages) client.setQueryData(query.queryKey, next);
      if (added && pages.pages.length <= smallList) stale.add(JSON.stringify(query.queryKey));
    }
    for (const r of changed.values()) {
      const key = ['resource', plurals.get(r.kind), r.connection, r.name];
      if (client.getQueryData(key)) client.setQueryData(key, (old: Resource | undefined) => newer(old, r));
    }
    for (const key of stale) void client.invalidateQueries({ queryKey: JSON.parse(key) });
    stale.clear();
  };
  const soon = () => {
    flushing ??= setTimeout(flush, gather);
  };

  const open = () => {
    source = new EventSource('/v1/events');
    let fresh = true;
    source.onopen = () => {
      onConnected(true);
      // What changed between the reading of a list and now was not told; after a short break the server tells it.
      if (fresh) void client.invalidateQueries({ predicate: (q) => followed.has(String(q.queryKey[0])) });
      fresh = false;
    };
    source.onerror = () => {
      onConnected(false);
      if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
      again = setTimeout(() => {
        void client.invalidateQueries(); // also what events do not tell may be another now
        open();
      }, 2000);
    };
    source.addEventListener('resource', (e) => {
      const r = JSON.parse(e.data) as Resource;
      resources.set(r.uid, r);
      soon();
    });
    source.addEventListener('operation', (e) => {
      const o = JSON.parse(e.data) as Operation;
      if (o.state === 'succeeded' && (o.verb === 'delete' || o.verb === 'release') && o.uid) {
        gone.add(o.uid);
        resources.delete(o.uid);
        soon();
      }
      patchOperation(client, o);
      onOperation(o);
    });
    source.addEventListener('driver', (e) => onDriver(JSON.parse(e.data) as DriverProgress));
    source.addEventListener('reset', () => void client.invalidateQueries());
  };
  open();
  return () => {
    clearTimeout(flushing);
    clearTimeout(again);
    clearTimeout(counting);
    source.close();
  };
}

function newer(old: Resource | undefined, r: Resource): Resource {
  return old && old.uid === r.uid && old.updatedAt > r.updatedAt ? old : r;
}

/** patch puts what has changed into the pages of a list that has what belongs there. added says that a row is missing there. */
export function patch(
  pages: Pages<Resource>,
  changed: ReadonlyMap<string, Resource>,
  gone: ReadonlySet<string>,
  belongs: (r: Resource) => boolean,
): { next: Pages<Resource>; added: boolean } {
  if (changed.size === 0 && gone.size === 0) return { next: pages, added: false };
  const missing = new Map([...changed].filter(([, r]) => belongs(r)));
  let touched = false;
  const next = pages.pages.map((page) => {
    let own = false;
    const items = page.items.flatMap((row) => {
      const now = changed.get(row.uid);
      missing.delete(row.uid);
      if (gone.has(row.uid) || (now && !belongs(now))) {
        own = true;
        return [];
      }
      if (!now || row.updatedAt > now.updatedAt) return [row];
      own = true;
      return [now];
    });
    touched ||= own;
    return own ? { ...page, items } : page;
  });
  return { next: touched ? { ...pages, pages: next } : pages, added: missing.size > 0 };
}

function patchOperation(client: QueryClient, o: Operation) {
  if (client.getQueryData(['operation', o.id])) client.setQueryData(['operation', o.id], o);
  for (const query of client.getQueryCache().findAll({ queryKey: ['operations'] })) {
    const pages = query.state.data as Pages<Operation> | undefined;
    const q = query.queryKey.at(-1) as ListQuery;
    if (!pages) continue;
    const known = pages.pages.some((p) => p.items.some((row) => row.id === o.id));
    if (!known && !fits(o, q.filter)) continue;
    client.setQueryData(query.queryKey, {
      ...pages,
      pages: pages.pages.map((p, i) => ({
        ...p,
        items: known
          ? p.items.map((row) => (row.id === o.id ? o : row))
          : i === 0 && !q.sort
            ? [o, ...p.items]
            : p.items,
      })),
    });
  }
}

/** Store holds a value that components follow. */
export function store<T>(value: T) {
  const watchers = new Set<() => void>();
  return {
    get: () => value,
    set: (next: T) => {
      value = next;
      for (const w of watchers) w();
    },
    subscribe: (w: () => void) => {
      watchers.add(w);
      return () => void watchers.delete(w);
    },
  };
}

export function useStore<T>(s: ReturnType<typeof store<T>>): T {
  return useSyncExternalStore(s.subscribe, s.get);
}

/** connected says whether events arrive. */
export const connected = store(true);
