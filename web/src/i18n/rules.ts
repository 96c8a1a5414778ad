import i18next from 'i18next';
import type { Catalog, Kind } from '../api/queries';
import { everything, type Right } from '../model/rights';
import { catalogTitles, kindTitles, rightWords } from './words';

type Described = { kinds: readonly Kind[]; catalogs: readonly Catalog[] };

const list = (words: readonly string[], type: 'conjunction' | 'disjunction') =>
  new Intl.ListFormat(i18next.language, { type }).format(words);

/** inside is a title within a sentence: VMs, security groups. */
const inside = (title: string) => (/^[A-Z][a-z]/.test(title) ? title.charAt(0).toLowerCase() + title.slice(1) : title);

/** rightText says in a sentence what a right lets somebody do. */
export function rightText(right: Right, { kinds, catalogs }: Described): string {
  if (right.verbs.length === 0 || right.kinds.length === 0) return i18next.t('right.unfinished');
  const ofKind = (name: string) => {
    const kind = kinds.find((k) => k.name === name);
    const catalog = catalogs.find((c) => c.name === name);
    return kind ? inside(kindTitles(kind)) : catalog ? inside(catalogTitles(catalog)) : rightWords('of', name);
  };
  const all = (names: readonly string[]) => names.includes(everything);
  const where = (right.connections ?? [])
    .map((names) => names.split(','))
    .filter((names) => !all(names))
    .map((names, i) => i18next.t(i === 0 ? 'right.in' : 'right.within', { names: list(names, 'disjunction') }))
    .join('');
  const tests = (right.labels ?? []).map((l) => l.replace('!=', '≠'));
  const labels = tests.length > 0 ? i18next.t('right.labels', { labels: list(tests, 'conjunction') }) : '';
  if (all(right.verbs) && all(right.kinds)) return i18next.t('right.everything', { where, labels });
  const words = (names: readonly string[], say: (name: string) => string) =>
    list((all(names) ? [everything] : names).map(say), 'conjunction');
  return i18next.t('right.sentence', {
    verbs: words(right.verbs, (v) => rightWords('do', v)),
    kinds: words(right.kinds, ofKind),
    where,
    labels,
  });
}
