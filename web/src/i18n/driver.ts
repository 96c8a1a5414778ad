import type { Schemas } from '../api/client';

type Driver = Schemas['Description'];

/** inLanguage is what a driver says for people, in a language if it speaks it, else in English. */
export function inLanguage(driver: Driver, language: string): Driver {
  const texts = driver.texts?.[language];
  if (!texts) return driver;
  const say = (text: string) => texts[text] ?? text;
  const sayField = (f: Schemas['Field']) => ({
    ...f,
    title: say(f.title),
    doc: say(f.doc),
    where: f.where && say(f.where),
  });
  return {
    ...driver,
    title: say(driver.title),
    doc: driver.doc && say(driver.doc),
    native: driver.native && say(driver.native),
    credential: driver.credential?.map(sayField) ?? null,
    settings: driver.settings?.map(sayField) ?? null,
    extensions: driver.extensions?.map((e) => ({ ...e, doc: say(e.doc) })),
  };
}
