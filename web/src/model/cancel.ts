import type { Operation } from '../api/queries';

/**
 * cancelling says how an operation can be cancelled: 'now', before the cloud has accepted it;
 * 'parts', while the cloud makes it part by part, which deletes what there is of it; 'end',
 * when the cloud has accepted all of it, which deletes it as soon as it is there. Only what a
 * creation makes can be taken back. Of several, those are cancelled that can be 'now'.
 */
export function cancelling(
  o: Pick<Operation, 'state' | 'verb' | 'pending' | 'cancelling' | 'items'>,
): 'now' | 'parts' | 'end' | undefined {
  if (o.cancelling) return undefined;
  if (o.state === 'queued' || (o.items && o.state === 'running')) return 'now';
  if (o.state !== 'running' || o.verb !== 'create') return undefined;
  return o.pending ? 'parts' : 'end';
}
