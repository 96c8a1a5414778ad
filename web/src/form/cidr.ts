/** addresses is how many addresses an IPv4 range has, or undefined if it is none. */
export function addresses(cidr: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr.trim());
  if (!match) return undefined;
  const [bits, ...bytes] = [match[5], match[1], match[2], match[3], match[4]].map(Number);
  return bits !== undefined && bits <= 32 && bytes.every((b) => b <= 255) ? 2 ** (32 - bits) : undefined;
}
