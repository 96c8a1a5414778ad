/** What the server asks of a password at least; which words are too common only it says. */
export const minLength = 12;
const minDifferent = 6;

/** passwordRules says which rules a password keeps to so far. */
export function passwordRules(password: string): { long: boolean; varied: boolean } {
  return {
    long: [...password].length >= minLength,
    varied: new Set(password.toLowerCase()).size >= minDifferent,
  };
}
