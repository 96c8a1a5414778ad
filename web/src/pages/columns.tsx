import { Anchor } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { Kind, Resource } from '../api/queries';
import { fieldTitle } from '../i18n/words';
import { leaves, read } from '../model/schema';
import type { Column } from '../table/DataTable';
import type { FilterField } from '../table/FilterBar';
import { Ago, Labels, State, Value } from './parts';

/** How many fields of spec and status a table shows unless the user chooses others. */
const shownFields = 5;

const states = [
  'pending',
  'creating',
  'available',
  'running',
  'starting',
  'stopping',
  'stopped',
  'rebooting',
  'updating',
  'deleting',
  'deleted',
  'failed',
  'unknown',
];

/** resourceColumns are a kind's columns: those of every kind, and one for each field of its spec and status. */
export function resourceColumns(kind: Kind): Column<Resource>[] {
  const fields = [
    ...leaves(kind.spec, ['effective']).sort((a, b) => Number(b.required) - Number(a.required)),
    ...leaves(kind.status, ['status']),
  ].filter((f) => f.path.at(-1) !== 'userData');
  const wanted = new Set(
    [
      ...fields.filter((f) => f.required && f.path[0] === 'effective'),
      ...fields.filter((f) => f.path[0] === 'status'),
      ...fields,
    ]
      .slice(0, shownFields)
      .map((f) => f.path.join('.')),
  );
  return [
    {
      id: 'name',
      title: fieldTitle('name'),
      width: 200,
      sortable: true,
      cell: (r) => (
        <Anchor
          component={Link}
          inherit
          fw={500}
          to="/resources/$plural/$connection/$name"
          params={{ plural: kind.plural, connection: r.connection, name: r.name } as never}
        >
          {r.name}
        </Anchor>
      ),
    },
    {
      id: 'state',
      title: fieldTitle('state'),
      width: 130,
      sortable: true,
      cell: (r) => <State state={r.state} detail={r.error?.message} />,
    },
    { id: 'connection', title: fieldTitle('connection'), width: 130, sortable: true, cell: (r) => r.connection },
    ...fields.map((f): Column<Resource> => {
      const id = f.path.join('.');
      return {
        id,
        title: fieldTitle(f.path.at(-1) ?? ''),
        width: 150,
        shown: wanted.has(id),
        cell: (r) => <Value value={read(r, f.path)} schema={f.schema} connection={r.connection} compact />,
      };
    }),
    { id: 'labels', title: fieldTitle('labels'), width: 200, shown: false, cell: (r) => <Labels labels={r.labels} /> },
    {
      id: 'cloudId',
      title: fieldTitle('cloudId'),
      width: 200,
      shown: false,
      sortable: true,
      cell: (r) => <span className="mono">{r.cloudId}</span>,
    },
    {
      id: 'cloudState',
      title: fieldTitle('cloudState'),
      width: 130,
      shown: false,
      sortable: true,
      cell: (r) => r.cloudState,
    },
    {
      id: 'createdAt',
      title: fieldTitle('createdAt'),
      width: 130,
      sortable: true,
      cell: (r) => <Ago time={r.createdAt} />,
    },
    {
      id: 'updatedAt',
      title: fieldTitle('updatedAt'),
      width: 130,
      shown: false,
      sortable: true,
      cell: (r) => <Ago time={r.updatedAt} />,
    },
    {
      id: 'syncedAt',
      title: fieldTitle('syncedAt'),
      width: 130,
      sortable: true,
      cell: (r) => <Ago time={r.syncedAt} />,
    },
  ];
}

/** resourceFilters are the fields that a kind's list is filtered by. */
export function resourceFilters(kind: Kind): FilterField[] {
  return [
    { id: 'state', title: fieldTitle('state'), options: states },
    { id: 'name', title: fieldTitle('name') },
    { id: 'cloud', title: fieldTitle('cloud') },
    { id: 'region', title: fieldTitle('region') },
    { id: 'cloudId', title: fieldTitle('cloudId') },
    { id: 'cloudState', title: fieldTitle('cloudState') },
    ...[...leaves(kind.spec, ['effective']), ...leaves(kind.status, ['status'])].map((f) => ({
      id: f.path.join('.'),
      title: fieldTitle(f.path.at(-1) ?? ''),
      options: f.schema.enum,
    })),
  ];
}
