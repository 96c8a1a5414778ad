import { useState } from 'react';

/** Key answers the idempotency key of what is sent. renew ends it, so that the same can be asked for once more. */
export type Key = ((body: unknown) => string) & { renew: () => void };

/**
 * useKey makes the idempotency key of an opened form. What is sent twice, by a double
 * click or because an answer was lost, has the same key and is done once; what was
 * changed in between is another request. What stays open after it has been done is
 * renewed then.
 */
export function useKey(): Key {
  const [key] = useState(makeKey);
  return key;
}

/** makeKey is useKey outside of components. */
export function makeKey(): Key {
  let kept = { body: '', key: '' };
  const key = (body: unknown) => {
    const text = JSON.stringify(body) ?? '';
    if (kept.key === '' || kept.body !== text) kept = { body: text, key: newKey() };
    return kept.key;
  };
  const renew = () => {
    kept = { body: '', key: '' };
  };
  return Object.assign(key, { renew });
}

/** newKey is random. Browsers make UUIDs themselves only where TLS or the own machine is. */
export function newKey(): string {
  return (
    crypto.randomUUID?.() ??
    [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('')
  );
}

/** withKey is how a call of the client sends a key. */
export const withKey = (key: string) => ({ headers: { 'Idempotency-Key': key } });
