import type { Schemas } from '../api/client';

type Offer = Pick<Schemas['KindOffer'], 'verbs' | 'actions' | 'views' | 'kept'>;

/** offered says whether something can be done where a driver offers this of a kind. Releasing is
 * the server's own and needs no driver, but of what only the server keeps nothing would stay. */
export function offered(offer: Offer | undefined, what: string): boolean {
  if (what === 'release') return !offer?.kept;
  return [offer?.verbs, offer?.actions, offer?.views].some((names) => names?.includes(what));
}
