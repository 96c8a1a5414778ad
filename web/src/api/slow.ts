import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';

/** After how long without an answer people are told that it is the server that takes so long. */
const patience = 4000; // ms

/** useSlow says whether something that is waited for takes longer than people expect. */
export function useSlow(): boolean {
  const client = useQueryClient();
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    const waiting = new Map<string, ReturnType<typeof setTimeout>>();
    const late = new Set<string>();
    const look = () => {
      const fetching = new Set(
        client
          .getQueryCache()
          .findAll({ fetchStatus: 'fetching' })
          .map((q) => q.queryHash),
      );
      for (const hash of fetching) {
        if (waiting.has(hash)) continue;
        waiting.set(
          hash,
          setTimeout(() => {
            late.add(hash);
            setSlow(true);
          }, patience),
        );
      }
      for (const [hash, timer] of waiting) {
        if (fetching.has(hash)) continue;
        clearTimeout(timer);
        waiting.delete(hash);
        late.delete(hash);
      }
      setSlow(late.size > 0);
    };
    const stop = client.getQueryCache().subscribe(look);
    return () => {
      stop();
      for (const timer of waiting.values()) clearTimeout(timer);
    };
  }, [client]);
  return slow;
}
