import i18next from 'i18next';
import type { FieldProblem } from '../api/client';

/**
 * problemText says in the language of the page what the server found wrong with a field,
 * by the rule that it names. The server speaks English; where no rule says it, its own
 * words are shown.
 */
export function problemText({ message, rule, limit }: FieldProblem): string {
  return i18next.language === 'en' || !rule ? message : i18next.t(`problem.${rule}`, { limit });
}
