import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { Shell } from './layout/Shell';
import { NotFound } from './pages/NotFound';

/** Search is what of a page is in its address besides the path. */
export type Search = {
  connection?: string;
  filter?: string[];
  sort?: string;
  /** Words that are searched for. */
  q?: string;
  /** Field whose values are counted beside a list. */
  group?: string;
  create?: boolean;
  tab?: string;
  /** What is to be done with a resource: its dialog is open. */
  run?: string;
  kind?: string;
};

const many = new Set(['filter']);

/** Addresses are written as people would: ?filter=state=running&filter=… */
function parseSearch(text: string): Search {
  const search: Record<string, unknown> = {};
  for (const [key, value] of new URLSearchParams(text)) {
    if (many.has(key)) search[key] = [...((search[key] as string[] | undefined) ?? []), value];
    else search[key] = value === 'true' ? true : value;
  }
  return search;
}

function stringifySearch(search: Record<string, unknown>): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(search)) {
    if (Array.isArray(value)) for (const v of value) params.append(key, String(v));
    else if (value !== undefined && value !== '' && value !== false) params.set(key, String(value));
  }
  const text = params.toString().replaceAll('%3D', '=').replaceAll('%7E', '~').replaceAll('%21', '!');
  return text ? `?${text}` : '';
}

const root = createRootRoute({
  component: Shell,
  notFoundComponent: NotFound,
  validateSearch: (s: Record<string, unknown>): Search => s,
});

const routes = [
  createRoute({
    getParentRoute: () => root,
    path: '/',
    component: lazyRouteComponent(() => import('./pages/Overview'), 'Overview'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/resources/$plural',
    component: lazyRouteComponent(() => import('./pages/Resources'), 'Resources'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/resources/$plural/$connection/$name',
    component: lazyRouteComponent(() => import('./pages/ResourceDetail'), 'ResourceDetail'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/operations',
    component: lazyRouteComponent(() => import('./pages/Operations'), 'Operations'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/operations/$id',
    component: lazyRouteComponent(() => import('./pages/Operations'), 'OperationDetail'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/connections',
    component: lazyRouteComponent(() => import('./pages/Connections'), 'Connections'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/connections/$connection',
    component: lazyRouteComponent(() => import('./pages/Inventory'), 'ConnectionPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/drivers',
    component: lazyRouteComponent(() => import('./pages/Drivers'), 'Drivers'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/setup',
    component: lazyRouteComponent(() => import('./pages/Setup'), 'Setup'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/catalog/$plural',
    component: lazyRouteComponent(() => import('./pages/Catalog'), 'CatalogPage'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/compare',
    component: lazyRouteComponent(() => import('./pages/Compare'), 'Compare'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/topology',
    component: lazyRouteComponent(() => import('./pages/Topology'), 'Topology'),
  }),
] as const;

export function newRouter() {
  return createRouter({ routeTree: root.addChildren(routes), parseSearch, stringifySearch, defaultPreload: 'intent' });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof newRouter>;
  }
}
