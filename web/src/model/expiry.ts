const day = 24 * 60 * 60 * 1000; // ms

/** How long before something ends people are warned, as mcic does. */
const warnBefore = 14 * day;

/** expiry says whether something is over, or soon will be: at most two weeks before, and in the last fifth of its life if that began at since. */
export function expiry(ends: string | undefined, now = Date.now(), since?: string): 'over' | 'soon' | undefined {
  if (!ends) return undefined;
  const left = Date.parse(ends) - now;
  if (left <= 0) return 'over';
  const warn = since ? Math.min(warnBefore, (Date.parse(ends) - Date.parse(since)) / 5) : warnBefore;
  return left < warn ? 'soon' : undefined;
}

/** endOf is the moment at which a day begins, as it is recorded; undefined for no day. */
export function endOf(day: string): string | undefined {
  return day ? new Date(`${day}T00:00:00`).toISOString() : undefined;
}

/** dayOf is the day of a moment, as inputs have it. */
export function dayOf(moment = ''): string {
  const at = new Date(moment);
  const two = (n: number) => String(n).padStart(2, '0');
  return moment ? `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}` : '';
}
