import type { Operation } from '../api/queries';

/**
 * cancelling says how an operation can be cancelled: 'now', before the cloud has accepted it;
 * 'parts', while the cloud makes it part by part, which deletes what there is of it; 'end',
 * when the cloud has accepted all of it, which deletes it as soon as it is there. Only what a
 * creation makes can be taken back, and the parts of several are cancelled one by one.
 */
export function cancelling(
  o: Pick<Operation, 'state' | 'verb' | 'pending' | 'cancelling' | 'items'>,
): 'now' | 'parts' | 'end' | undefined {
  if (o.cancelling || o.items) return undefined;
  if (o.state === 'queued') return 'now';
  if (o.state !== 'running' || o.verb !== 'create') return undefined;
  return o.pending ? 'parts' : 'end';
}
