import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import en from './en.json';
import ko from './ko.json';
import koWords from './ko-words.json';

export const languages = { en: 'English', ko: '한국어' } as const;
export type Language = keyof typeof languages;

// A text that one of them lacks is a type error.
const texts: Record<Language, typeof en> = { en, ko };

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'translation';
    resources: { translation: typeof en };
  }
}

const kept = 'mcic-language';

function preferred(): Language {
  const wanted = [localStorage.getItem(kept), ...navigator.languages].map((l) => l?.slice(0, 2));
  return wanted.find((l): l is Language => l !== undefined && l !== null && l in languages) ?? 'en';
}

export async function startLanguages() {
  i18next.on('languageChanged', (language) => {
    document.documentElement.lang = language;
  });
  await i18next.use(initReactI18next).init({
    lng: preferred(),
    fallbackLng: 'en',
    resources: {
      en: { translation: texts.en, words: {} },
      ko: { translation: texts.ko, words: koWords },
    },
    interpolation: { escapeValue: false }, // React escapes
  });
}

export function setLanguage(language: Language) {
  localStorage.setItem(kept, language);
  void i18next.changeLanguage(language);
}
