import { useLocalStorage } from '@mantine/hooks';
import type { Search } from '../address';

/** View is a table as somebody wants to see it again. It is kept in the browser, as the columns are. */
export type View = { name: string; search: Pick<Search, 'connection' | 'filter' | 'sort' | 'q' | 'group'> };

/** useViews keeps the views of one table. One of the same name is replaced. */
export function useViews(table: string) {
  const [views, setViews] = useLocalStorage<View[]>({
    key: `mcic-views-${table}`,
    defaultValue: [],
    getInitialValueInEffect: false,
  });
  return {
    views,
    save: (view: View) =>
      setViews([...views.filter((v) => v.name !== view.name), view].sort((a, b) => a.name.localeCompare(b.name))),
    remove: (name: string) => setViews(views.filter((v) => v.name !== name)),
  };
}
