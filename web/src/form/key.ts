import { useRef } from 'react';

/**
 * useKey makes the idempotency key of an opened form. What is sent twice, by a double
 * click or because an answer was lost, has the same key and is done once; what was
 * changed in between is another request.
 */
export function useKey(): (body: unknown) => string {
  const kept = useRef({ body: '', key: '' });
  return (body) => {
    const text = JSON.stringify(body);
    if (kept.current.key === '' || kept.current.body !== text) kept.current = { body: text, key: newKey() };
    return kept.current.key;
  };
}

/** newKey is random. Browsers make UUIDs themselves only where TLS or the own machine is. */
export function newKey(): string {
  return (
    crypto.randomUUID?.() ??
    [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('')
  );
}
