import { store, useStore } from '../api/live';
import type { DriverProgress, Operation } from '../api/queries';

/** ours are the operations that this page has started, until they are told to have ended. */
export const ours = new Set<string>();

const kept = 30;

type State = { opened: boolean; operations: Operation[]; ways: DriverProgress[]; running: number };

const state = store<State>({ opened: false, operations: [], ways: [], running: 0 });

/** arrived says whether nothing more happens on a driver's way. */
export const arrived = (w: DriverProgress) => w.step === 'ready' || w.step === 'failed';

function set(change: Partial<State>) {
  const next = { ...state.get(), ...change };
  const open = next.operations.filter((o) => !o.endedAt).length + next.ways.filter((w) => !arrived(w)).length;
  state.set({ ...next, running: open });
}

/** tray gathers the operations that go on or have just ended. */
export const tray = {
  store: state,
  see(o: Operation) {
    if (o.parent) return; // the one above it is shown
    const operations = [o, ...state.get().operations.filter((x) => x.id !== o.id)]
      .sort((a, b) => (a.id < b.id ? 1 : -1))
      .slice(0, kept);
    set({ operations });
  },
  /** follow shows how far a driver is on its way. */
  follow(w: DriverProgress) {
    set({ ways: [w, ...state.get().ways.filter((x) => x.id !== w.id)].slice(0, kept) });
  },
  /** lose forgets the ways of which the end may have been missed. */
  lose() {
    set({ ways: state.get().ways.filter(arrived) });
  },
  /** start remembers an operation that was started here. */
  start(o: Operation) {
    if (!o.endedAt) ours.add(o.id);
    tray.see(o);
  },
  open: () => set({ opened: true }),
  close: () => set({ opened: false }),
};

/** useWay is how far the driver of that name is on its way, undefined if it is on none. */
export function useWay(name: string): DriverProgress | undefined {
  return useStore(state).ways.find((w) => w.name === name && !arrived(w));
}
