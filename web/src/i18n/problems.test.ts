import i18next from 'i18next';
import { beforeAll, describe, expect, it } from 'vitest';
import en from './en.json';
import ko from './ko.json';
import { problemText } from './problems';

beforeAll(() =>
  i18next.init({
    lng: 'ko',
    interpolation: { escapeValue: false },
    resources: { en: { translation: en }, ko: { translation: ko } },
  }),
);

describe('what the server finds wrong', () => {
  it('is said in Korean where it is usual', () => {
    for (const message of [
      'is required',
      'expected length <= 128',
      'expected number >= 1',
      'expected array length <= 100',
      'expected value to be one of "tcp, udp"',
      'expected string to match pattern ^a$',
      'expected integer',
      'unexpected property',
      '"10.0.0.0/99" is not an IPv4 range; write it like 10.0.0.0/16',
      '10.0.0.1/16 has bits set beyond its prefix; did you mean 10.0.0.0/16?',
      'the same as rules[0]; leave one out',
    ])
      expect(problemText(message), message).toMatch(/[가-힣]/);
    expect(problemText('10.0.0.1/16 has bits set beyond its prefix; did you mean 10.0.0.0/16?')).toContain(
      '10.0.0.0/16',
    );
  });

  it('is shown as it is otherwise, and in English', async () => {
    expect(problemText('the moon is full')).toBe('the moon is full');
    await i18next.changeLanguage('en');
    expect(problemText('is required')).toBe('is required');
  });
});
