import { describe, expect, it } from 'vitest';
import { compare, hourly, type Price, type Spec } from './compare';

const spec = (name: string, vcpus: number, gib: number, more: Partial<Spec> = {}): Spec => ({
  name,
  vcpus,
  memoryMiB: gib * 1024,
  architectures: ['x86_64'],
  ...more,
});
const price = (s: string, amount: string, more: Partial<Price> = {}) =>
  ({ id: s, product: 'vm', spec: s, contract: 'onDemand', currency: 'USD', amount, unit: 'hour', ...more }) as Price;

const offers = [
  {
    connection: 'a',
    cloud: 'one',
    specs: [spec('a2', 2, 4), spec('a8', 8, 32), spec('ag', 8, 64, { gpus: 1 })],
    prices: hourly([
      price('a2', '0.10'),
      price('a2', '0.08', { zone: 'z' }),
      price('a8', '0.40', { contract: 'reserved' }),
      price('a8', '2', { unit: 'month' }),
      price('ag', '3.5'),
    ]),
  },
  {
    connection: 'b',
    cloud: 'two',
    specs: [spec('b4', 4, 8, { architectures: ['arm64'] })],
    prices: hourly([price('b4', '0.09')]),
  },
];
const names = (...args: [Parameters<typeof compare>[1], string?]) => compare(offers, ...args).map((m) => m.name);

describe('machines side by side', () => {
  it('have the lowest price by the hour; what has none comes last', () => {
    expect(compare(offers, {}).map((m) => [m.name, m.price])).toEqual([
      ['a2', 0.08],
      ['b4', 0.09],
      ['ag', 3.5],
      ['a8', undefined],
    ]);
    expect(names({}, '-price')).toEqual(['ag', 'b4', 'a2', 'a8']);
    expect(names({}, 'memoryGiB')).toEqual(['a2', 'b4', 'a8', 'ag']);
  });

  it('are those that fit', () => {
    expect(names({ vcpus: 4 })).toEqual(['b4', 'ag', 'a8']);
    expect(names({ vcpus: 4, memoryGiB: 9 })).toEqual(['ag', 'a8']);
    expect(names({ gpus: 1 })).toEqual(['ag']);
    expect(names({ architecture: 'arm64' })).toEqual(['b4']);
    expect(names({ maxPrice: 0.085 })).toEqual(['a2']);
    expect(names({ priced: true })).toEqual(['a2', 'b4', 'ag']);
  });
});
