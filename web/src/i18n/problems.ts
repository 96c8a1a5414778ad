import i18next, { type TFunction } from 'i18next';

/** How the server words what is usually wrong with a field. What a text names in parentheses goes into the translation. */
const usual: [RegExp, (t: TFunction, a: string, b: string) => string][] = [
  [/^is required$/, (t) => t('form.required')],
  [/^is required(?: |[,;:])/, (t) => t('problem.required')],
  [/^expected length >= (\d+)$/, (t, limit) => t('problem.minLength', { limit })],
  [/^expected length <= (\d+)$/, (t, limit) => t('form.maxLength', { limit })],
  [/^expected number >=? (\S+)$/, (t, limit) => t('form.minimum', { limit })],
  [/^expected number <=? (\S+)$/, (t, limit) => t('form.maximum', { limit })],
  [/^expected array length >= (\d+)$/, (t, limit) => t('form.minItems', { limit })],
  [/^expected array length <= (\d+)$/, (t, limit) => t('form.maxItems', { limit })],
  [/^expected value to be one of "(.*)"$/, (t, values) => t('problem.oneOf', { values })],
  [/^expected (?:string|number|integer|boolean|array|object)$/, (t) => t('problem.type')],
  [/^expected string to (?:be|match pattern) (.+)$/, (t, pattern) => t('form.pattern', { pattern })],
  [/^unexpected property$/, (t) => t('problem.unknown')],
  [/^"?([^"]*)"? is not an IPv4 range;/, (t, value) => t('problem.cidr', { value })],
  [
    /^(\S+) has bits set beyond its prefix; did you mean (\S+)\?$/,
    (t, value, better) => t('problem.prefix', { value, better }),
  ],
  [/^the same as (\S+); /, (t, other) => t('problem.same', { other })],
  [/^(\S+) is not in the range (\S+)/, (t, value, range) => t('problem.range', { value, range })],
  [/^there is no (\S+) (\S+?)[;,. ]/, (t, kind, name) => t('problem.missing', { kind, name })],
  [/^contains a control character/, (t) => t('problem.control')],
];

/**
 * problemText says in the language of the page what the server found wrong with a field.
 * The server speaks English; a text that is not known here is shown as it is.
 */
export function problemText(message: string): string {
  if (i18next.language === 'en') return message;
  for (const [words, say] of usual) {
    const found = words.exec(message);
    if (found) return say(i18next.t, found[1] ?? '', found[2] ?? '');
  }
  return message;
}
