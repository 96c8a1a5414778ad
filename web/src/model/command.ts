/** Verb is something that can be done, by its name and its title. */
export type Verb = { name: string; title: string };

/** Command is what was typed: words that say what is to be done, and words that say with what. */
export type Command = { verbs: Set<string>; words: string };

/** command tells apart which words begin the name or title of a verb, as in: stop web-1. */
export function command(text: string, verbs: Verb[]): Command {
  const found = new Set<string>();
  const words: string[] = [];
  for (const word of text.toLowerCase().split(/\s+/).filter(Boolean)) {
    const meant = verbs.filter((v) => [v.name, ...v.title.toLowerCase().split(' ')].some((w) => w.startsWith(word)));
    if (word.length < 2 || meant.length === 0) words.push(word);
    else for (const v of meant) found.add(v.name);
  }
  return words.length > 0 ? { verbs: found, words: words.join(' ') } : { verbs: new Set(), words: text };
}
