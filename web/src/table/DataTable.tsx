import { ActionIcon, Center, Checkbox, Loader, Menu, Text } from '@mantine/core';
import { useLocalStorage } from '@mantine/hooks';
import { IconArrowDown, IconArrowUp, IconChevronLeft, IconChevronRight, IconColumns3 } from '@tabler/icons-react';
import {
  type ColumnDef,
  columnOrderingFeature,
  columnSizingFeature,
  columnVisibilityFeature,
  FlexRender,
  type Row,
  rowSelectionFeature,
  tableFeatures,
  useTable,
} from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, type ReactNode, useCallback, useEffect, useMemo, useRef } from 'react';
import { useTranslation } from 'react-i18next';

const features = tableFeatures({
  columnOrderingFeature,
  columnSizingFeature,
  columnVisibilityFeature,
  rowSelectionFeature,
});

/** Column is one of a table. Its id is the field that the server sorts by, if it does. */
export type Column<T> = {
  id: string;
  title: string;
  width?: number;
  /** Whether it is shown unless the user chose otherwise. */
  shown?: boolean;
  sortable?: boolean;
  cell: (row: T) => ReactNode;
};

export type Selection = Record<string, true>;

type Props<T> = {
  /** Name under which the user's choice of columns is kept. */
  name: string;
  label: string;
  rows: T[];
  rowId: (row: T) => string;
  columns: Column<T>[];
  sort?: string;
  onSort?: (sort: string | undefined) => void;
  selection?: Selection;
  onSelection?: (next: Selection) => void;
  onOpen?: (row: T) => void;
  more?: () => void;
  loading?: boolean;
  empty: ReactNode;
};

const rowHeight = 34;

/** How many rows before the last one that is loaded more are read. */
const ahead = 100;

type Choice = { hidden: Record<string, boolean>; order: string[] };

/** useColumns keeps which columns a user wants to see, and in which order. */
export function useColumns<T>(name: string, columns: Column<T>[]) {
  const [choice, setChoice] = useLocalStorage<Choice>({
    key: `mcic-columns-${name}`,
    defaultValue: { hidden: {}, order: [] },
    getInitialValueInEffect: false,
  });
  const order = [
    ...choice.order.filter((id) => columns.some((c) => c.id === id)),
    ...columns.map((c) => c.id).filter((id) => !choice.order.includes(id)),
  ];
  const visible = Object.fromEntries(columns.map((c) => [c.id, !(choice.hidden[c.id] ?? c.shown === false)]));
  return { order, visible, choice, setChoice };
}

/** ColumnsMenu chooses columns and their order. */
export function ColumnsMenu<T>({ name, columns }: { name: string; columns: Column<T>[] }) {
  const { t } = useTranslation();
  const { order, visible, choice, setChoice } = useColumns(name, columns);
  const move = (id: string, by: number) => {
    const next = [...order];
    const at = next.indexOf(id);
    const [moved] = next.splice(at, 1);
    if (moved) next.splice(Math.max(0, at + by), 0, moved);
    setChoice({ ...choice, order: next });
  };
  return (
    <Menu closeOnItemClick={false} position="bottom-end" width={280}>
      <Menu.Target>
        <ActionIcon variant="default" size={30} aria-label={t('table.columns')}>
          <IconColumns3 size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown mah={420} style={{ overflow: 'auto' }}>
        {order.map((id) => {
          const column = columns.find((c) => c.id === id);
          if (!column) return null;
          return (
            <div key={id} style={{ display: 'flex', alignItems: 'center', gap: 4, padding: '3px 8px' }}>
              <Checkbox
                size="xs"
                flex={1}
                label={column.title}
                checked={visible[id]}
                onChange={() => setChoice({ ...choice, hidden: { ...choice.hidden, [id]: visible[id] ?? false } })}
              />
              <ActionIcon
                size="xs"
                variant="subtle"
                color="gray"
                aria-label={t('table.left', { column: column.title })}
                onClick={() => move(id, -1)}
              >
                <IconChevronLeft size={12} />
              </ActionIcon>
              <ActionIcon
                size="xs"
                variant="subtle"
                color="gray"
                aria-label={t('table.right', { column: column.title })}
                onClick={() => move(id, 1)}
              >
                <IconChevronRight size={12} />
              </ActionIcon>
            </div>
          );
        })}
      </Menu.Dropdown>
    </Menu>
  );
}

type LineProps<T extends object> = {
  row: Row<typeof features, T>;
  index: number;
  start: number;
  /** Which columns there are, in their order: another one draws the line anew. */
  layout: unknown;
  /** Undefined where rows cannot be selected. */
  selected: boolean | undefined;
  onOpen: ((row: T) => void) | undefined;
};

/** Line is one row. It is drawn again only when something about it changes, so that scrolling draws the new ones alone. */
const Line = memo(function Line<T extends object>({ row, index, start, selected, onOpen }: LineProps<T>) {
  const { t } = useTranslation();
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      aria-selected={selected}
      style={{
        position: 'absolute',
        top: 0,
        transform: `translateY(${start}px)`,
        cursor: onOpen ? 'pointer' : undefined,
      }}
      onClick={(e) => {
        if (!(e.target as HTMLElement).closest('a,button,input,label')) onOpen?.(row.original);
      }}
    >
      {selected !== undefined && (
        <div role="gridcell" className="pick">
          <Checkbox
            size="xs"
            aria-label={t('table.select', { name: row.id })}
            checked={selected}
            onChange={row.getToggleSelectedHandler()}
          />
        </div>
      )}
      {row.getVisibleCells().map((cell) => (
        <div role="gridcell" key={cell.id} style={{ width: cell.column.getSize() }}>
          <FlexRender cell={cell} />
        </div>
      ))}
    </div>
  );
}) as <T extends object>(p: LineProps<T>) => ReactNode;

/** DataTable shows rows of any list: only those in view are drawn, and more are read when the end comes near. */
export function DataTable<T extends object>(p: Props<T>) {
  const { t } = useTranslation();
  const box = useRef<HTMLDivElement>(null);
  const { order, visible } = useColumns(p.name, p.columns);
  const columns = useMemo(
    (): ColumnDef<typeof features, T>[] =>
      p.columns.map((c) => ({
        id: c.id,
        header: c.title,
        size: c.width ?? 160,
        cell: (context) => c.cell(context.row.original),
      })),
    [p.columns],
  );
  const table = useTable({
    features,
    columns,
    data: p.rows,
    getRowId: p.rowId,
    state: { columnOrder: order, columnVisibility: visible, rowSelection: p.selection ?? {} },
    enableRowSelection: p.onSelection !== undefined,
    onRowSelectionChange: (update) =>
      p.onSelection?.(typeof update === 'function' ? update(p.selection ?? {}) : update),
  });
  const rows = table.getRowModel().rows;
  const shownColumns = order.filter((id) => visible[id]).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: its identity is what counts
  const layout = useMemo(() => ({}), [columns, shownColumns]);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => rowHeight,
    getItemKey: useCallback((i: number) => rows[i]?.id ?? i, [rows]), // another function has it measure all rows anew
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  const { more } = p;
  useEffect(() => {
    if (rows.length > 0 && last >= rows.length - ahead) more?.();
  }, [last, rows.length, more]);

  const sortBy = (id: string) => {
    const next = p.sort === id ? `-${id}` : p.sort === `-${id}` ? undefined : id;
    p.onSort?.(next);
  };
  const selectable = p.onSelection !== undefined;
  const chosen = useMemo(() => {
    let n = 0;
    for (const row of selectable ? p.rows : []) if (p.selection?.[p.rowId(row)]) n++;
    return n;
  }, [selectable, p.rows, p.rowId, p.selection]);
  return (
    <div
      className="grid"
      ref={box}
      role="grid"
      aria-label={p.label}
      aria-rowcount={rows.length + 1}
      aria-busy={p.loading}
      tabIndex={0}
    >
      <div role="rowgroup" className="grid-head">
        {table.getHeaderGroups().map((group) => (
          <div role="row" key={group.id} aria-rowindex={1}>
            {selectable && (
              <div role="columnheader" className="pick">
                <Checkbox
                  size="xs"
                  aria-label={t('table.selectAll')}
                  checked={chosen > 0 && chosen === rows.length}
                  indeterminate={chosen > 0 && chosen < rows.length}
                  onChange={table.getToggleAllRowsSelectedHandler()}
                />
              </div>
            )}
            {group.headers.map((header) => {
              const column = p.columns.find((c) => c.id === header.column.id);
              const direction =
                p.sort === header.column.id
                  ? 'ascending'
                  : p.sort === `-${header.column.id}`
                    ? 'descending'
                    : undefined;
              return (
                <div
                  role="columnheader"
                  key={header.id}
                  style={{ width: header.getSize() }}
                  aria-sort={direction ?? (column?.sortable ? 'none' : undefined)}
                >
                  {column?.sortable ? (
                    <button type="button" className="grid-sort" onClick={() => sortBy(header.column.id)}>
                      {column.title}
                      {direction === 'ascending' && <IconArrowUp size={12} />}
                      {direction === 'descending' && <IconArrowDown size={12} />}
                    </button>
                  ) : (
                    column?.title
                  )}
                </div>
              );
            })}
          </div>
        ))}
      </div>
      <div role="rowgroup" className="grid-body" style={{ height: virtual.getTotalSize(), position: 'relative' }}>
        {items.map((item) => {
          const row = rows[item.index];
          if (!row) return null;
          return (
            <Line
              key={row.id}
              row={row}
              index={item.index}
              start={item.start}
              layout={layout}
              selected={selectable ? row.getIsSelected() : undefined}
              onOpen={p.onOpen}
            />
          );
        })}
      </div>
      {p.loading && (
        <Center p="md">
          <Loader size="sm" aria-label={t('common.loading')} />
        </Center>
      )}
      {!p.loading && rows.length === 0 && (
        <Center p="xl">
          <Text component="div" size="sm" c="dimmed" ta="center" maw={480}>
            {p.empty}
          </Text>
        </Center>
      )}
    </div>
  );
}
