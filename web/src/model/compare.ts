import type { Schemas } from '../api/client';

export type Spec = Schemas['Spec'];
export type Price = Schemas['Price'];

/** Machine is a machine type of a connection, with its price by the hour if that is known. */
export type Machine = Omit<Spec, 'memoryMiB'> & {
  connection: string;
  cloud: string;
  region?: string;
  memoryGiB: number;
  price?: number;
  currency?: string;
};

/** Filter keeps machines that are at least so large, and at most so expensive. */
export type Filter = {
  vcpus?: number;
  memoryGiB?: number;
  gpus?: number;
  architecture?: string;
  maxPrice?: number;
  /** Only those whose price is known. */
  priced?: boolean;
};

/** hourly finds the lowest price by the hour of each machine type, across a region's zones. */
export function hourly(prices: Price[]): Map<string, { price: number; currency: string }> {
  const found = new Map<string, { price: number; currency: string }>();
  for (const p of prices) {
    if (!p.spec || p.unit !== 'hour' || p.contract !== 'onDemand') continue;
    const price = Number(p.amount);
    const known = found.get(p.spec);
    if (Number.isFinite(price) && (!known || price < known.price)) found.set(p.spec, { price, currency: p.currency });
  }
  return found;
}

type Offer = {
  connection: string;
  cloud: string;
  region?: string;
  specs: Spec[];
  prices: ReturnType<typeof hourly>;
};

/** compare lists the machines of several connections that fit. What has no value comes last in every order. */
export function compare(offers: Offer[], f: Filter, sort = 'price'): Machine[] {
  const machines = offers.flatMap((o) =>
    o.specs.map(
      ({ memoryMiB, ...s }): Machine => ({
        ...s,
        connection: o.connection,
        cloud: o.cloud,
        region: o.region,
        memoryGiB: memoryMiB / 1024,
        ...o.prices.get(s.name),
      }),
    ),
  );
  const fitting = machines.filter(
    (m) =>
      m.vcpus >= (f.vcpus ?? 0) &&
      m.memoryGiB >= (f.memoryGiB ?? 0) &&
      (m.gpus ?? 0) >= (f.gpus ?? 0) &&
      (!f.architecture || m.architectures?.includes(f.architecture)) &&
      (f.maxPrice === undefined || (m.price !== undefined && m.price <= f.maxPrice)) &&
      (!f.priced || m.price !== undefined),
  );
  const field = sort.replace(/^-/, '') as keyof Machine;
  const sign = sort.startsWith('-') ? -1 : 1;
  return fitting.sort((a, b) => {
    const [x, y] = [a[field], b[field]];
    if (x === undefined || y === undefined) return Number(x === undefined) - Number(y === undefined);
    const order = typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y));
    return sign * order || a.vcpus - b.vcpus || a.memoryGiB - b.memoryGiB;
  });
}
