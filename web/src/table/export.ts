/** download hands text to the browser as a file. */
export function download(name: string, type: string, text: string) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const a = document.createElement('a');
  a.href = url;
  a.download = name;
  a.click();
  URL.revokeObjectURL(url);
}

/**
 * csv writes rows as RFC 4180 has it. What a spreadsheet would take for a formula gets
 * an apostrophe before it: names may come from anybody.
 */
export function csv(header: string[], rows: unknown[][]): string {
  const cell = (value: unknown) => {
    const plain =
      value === undefined || value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
    const safe = /^[=+\-@\t\r]/.test(plain) && typeof value !== 'number' ? `'${plain}` : plain;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [header, ...rows].map((r) => `${r.map(cell).join(',')}\r\n`).join('');
}
