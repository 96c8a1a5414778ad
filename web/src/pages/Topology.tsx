import { Alert, Card, Checkbox, Group, Loader, Select, Text, TextInput, useComputedColorScheme } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQueries, useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import {
  Background,
  Controls,
  type Edge as FlowEdge,
  type Node as FlowNode,
  Handle,
  type NodeProps,
  Position,
  ReactFlow,
} from '@xyflow/react';
import ELK from 'elkjs/lib/elk.bundled.js';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import '@xyflow/react/dist/style.css';
import type { Search } from '../address';
import { all, connectionsQuery, kindsQuery, type Resource, resourcesPath } from '../api/queries';
import { useReadable } from '../api/rights';
import { kindTitle, kindTitles } from '../i18n/words';
import { type Edge, type Node, topology } from '../model/topology';
import { KindIcon } from './icons';
import { Failure, Head, ResourceLink, State } from './parts';

const route = getRouteApi('/topology');

const size = { width: 210, height: 62 };
/** How many resources of a kind are read at most. */
const limit = 2000;

const elk = new ELK();

type Placed = { nodes: FlowNode<Node>[]; edges: FlowEdge[] };

/** layout places what is used to the left of what uses it. */
async function layout(nodes: Node[], edges: Edge[]): Promise<Placed> {
  const placed = await elk.layout({
    id: 'root',
    layoutOptions: {
      'elk.algorithm': 'layered',
      'elk.direction': 'RIGHT',
      'elk.layered.spacing.nodeNodeBetweenLayers': '90',
      'elk.spacing.nodeNode': '18',
      'elk.separateConnectedComponents': 'true',
    },
    children: nodes.map((n) => ({ id: n.id, ...size })),
    edges: edges.map((e) => ({ id: e.id, sources: [e.source], targets: [e.target] })),
  });
  const at = new Map(placed.children?.map((c) => [c.id, { x: c.x ?? 0, y: c.y ?? 0 }]));
  return {
    nodes: nodes.map((n) => ({ id: n.id, type: 'resource', data: n, position: at.get(n.id) ?? { x: 0, y: 0 } })),
    edges: edges.map((e) => ({ ...e, focusable: false })),
  };
}

/** Topology shows what rests on what in a connection. */
export function Topology() {
  const { t } = useTranslation();
  const { connection } = route.useSearch();
  const go = useNavigate();
  const scheme = useComputedColorScheme('light');
  const { data: connections = [] } = useQuery(connectionsQuery);
  const at = connection ?? connections[0]?.name ?? '';
  const kinds = useReadable(at);
  const [text, setText] = useState('');
  const [query] = useDebouncedValue(text, 200);
  const [unhealthy, setUnhealthy] = useState(false);
  const [expanded, setExpanded] = useState<ReadonlySet<string>>(new Set());
  const found = useQueries({
    queries: kinds.map((k) => ({
      queryKey: ['resources', k.plural, { connection: at, filter: [], sort: 'topology' }],
      enabled: at !== '',
      queryFn: async ({ signal }: { signal: AbortSignal }) => ({
        pages: [{ items: await all<Resource>(resourcesPath(k.plural, at), { filter: [] }, limit, signal) }],
        pageParams: [''],
      }),
    })),
    combine: (queries) => ({
      resources: queries.flatMap((q) => q.data?.pages.flatMap((p) => p.items) ?? []),
      pending: queries.some((q) => q.isLoading),
      error: queries.find((q) => q.error)?.error,
      full: queries.some((q) => (q.data?.pages[0]?.items.length ?? 0) >= limit),
    }),
  });
  const graph = useMemo(
    () => topology(kinds, found.resources, { expanded, query, unhealthy }),
    [kinds, found.resources, expanded, query, unhealthy],
  );
  const shape = useMemo(() => JSON.stringify([graph.nodes.map((n) => n.id), graph.edges.map((e) => e.id)]), [graph]);
  const placed = useQuery({
    queryKey: ['layout', at, shape],
    queryFn: () => layout(graph.nodes, graph.edges),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
  });
  // Places are kept while states change.
  const nodes = useMemo(() => {
    const now = new Map(graph.nodes.map((n) => [n.id, n]));
    return placed.data?.nodes.map((n) => ({ ...n, data: now.get(n.id) ?? n.data })) ?? [];
  }, [placed.data, graph]);
  return (
    <div className="page">
      <Head
        title={t('topology.title')}
        aside={
          <Text size="sm" c="dimmed">
            {t('topology.doc')}
          </Text>
        }
      />
      <Group gap="sm">
        <Select
          size="xs"
          w={170}
          aria-label={t('table.connection')}
          data={connections.map((c) => c.name)}
          value={at || null}
          onChange={(c) =>
            void go({ to: '.', search: (old: Search) => ({ ...old, connection: c ?? undefined }), replace: true })
          }
          allowDeselect={false}
        />
        <TextInput
          size="xs"
          w={200}
          placeholder={t('filter.search')}
          aria-label={t('filter.search')}
          value={text}
          onChange={(e) => setText(e.currentTarget.value)}
        />
        <Checkbox
          size="xs"
          label={t('topology.unhealthy')}
          checked={unhealthy}
          onChange={(e) => setUnhealthy(e.currentTarget.checked)}
        />
        {(found.pending || placed.isPending) && <Loader size="xs" aria-label={t('common.loading')} />}
      </Group>
      {found.error && <Failure error={found.error} />}
      {placed.error && <Failure error={placed.error} />}
      {found.full && <Alert color="orange">{t('topology.full', { limit })}</Alert>}
      {!found.pending && graph.nodes.length === 0 && (
        <Text c="dimmed">{unhealthy || query ? t('empty.filtered') : t('topology.empty')}</Text>
      )}
      <div
        className="grow"
        style={{ border: '1px solid var(--mantine-color-default-border)', borderRadius: 'var(--mantine-radius-sm)' }}
      >
        <ReactFlow
          key={at}
          nodes={nodes}
          edges={placed.data?.edges ?? []}
          nodeTypes={nodeTypes}
          colorMode={scheme}
          fitView
          minZoom={0.05}
          nodesDraggable={false}
          nodesConnectable={false}
          nodesFocusable={false}
          onlyRenderVisibleElements
          onNodeClick={(_, n) => n.data.members.length > 1 && setExpanded(new Set([...expanded, n.id]))}
          aria-label={t('topology.title')}
        >
          <Background />
          <Controls showInteractive={false} />
        </ReactFlow>
      </div>
    </div>
  );
}

const nodeTypes = { resource: ResourceNode };

function ResourceNode({ data: n }: NodeProps<FlowNode<Node>>) {
  const { t } = useTranslation();
  const { data: kinds = [] } = useQuery(kindsQuery);
  const kind = kinds.find((k) => k.name === n.kind);
  const one = n.members.length === 1 ? n.members[0] : undefined;
  const states = Object.entries(Object.groupBy(n.members, (r) => r.state));
  return (
    <Card
      withBorder
      padding={8}
      w={size.width}
      h={size.height}
      style={{ cursor: one ? 'default' : 'pointer' }}
      title={one ? undefined : t('topology.expand')}
    >
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <Group gap={6} wrap="nowrap">
        <KindIcon kind={n.kind} />
        <Text size="sm" fw={550} truncate>
          {one ? (
            <ResourceLink kind={n.kind} connection={one.connection} name={one.name} />
          ) : (
            `${n.members.length} × ${kind ? kindTitles(kind) : n.kind}`
          )}
        </Text>
      </Group>
      <Group gap={4} wrap="nowrap">
        {one && (
          <Text size="xs" c="dimmed">
            {kind ? kindTitle(kind) : n.kind}
          </Text>
        )}
        {states.slice(0, 2).map(([state]) => (
          <State key={state} state={state} detail={one?.error?.message} />
        ))}
      </Group>
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </Card>
  );
}
