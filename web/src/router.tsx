import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { parseSearch, type Search, stringifySearch } from './address';
import { Shell } from './layout/Shell';
import { NotFound } from './pages/NotFound';

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
    path: '/people',
    component: lazyRouteComponent(() => import('./pages/People'), 'People'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/account',
    component: lazyRouteComponent(() => import('./pages/Account'), 'Account'),
  }),
  createRoute({
    getParentRoute: () => root,
    path: '/invite',
    component: lazyRouteComponent(() => import('./pages/Invite'), 'Invite'),
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
