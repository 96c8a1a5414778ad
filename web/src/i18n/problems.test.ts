import { readFileSync } from 'node:fs';
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

const field = 'spec.cidr';

describe('what the server finds wrong', () => {
  it('is said in Korean by its rule, for every rule that there is', () => {
    const document = JSON.parse(readFileSync('../docs/openapi.json', 'utf8'));
    const { rule } = document.components.schemas.Problem.properties;
    expect(Object.keys(ko.problem).sort()).toEqual(rule.enum.sort());
    expect(problemText({ field, message: 'is required', rule: 'required' })).toBe('여기에는 이 값이 필요합니다.');
    expect(problemText({ field, message: 'whatever', rule: 'prefix', limit: '10.0.0.0/16' })).toContain('10.0.0.0/16');
  });

  it('is shown as it is otherwise, and in English', async () => {
    expect(problemText({ field, message: 'the moon is full' })).toBe('the moon is full');
    await i18next.changeLanguage('en');
    expect(problemText({ field, message: 'is required', rule: 'required' })).toBe('is required');
  });
});
