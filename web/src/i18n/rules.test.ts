import i18next from 'i18next';
import { beforeAll, expect, it } from 'vitest';
import type { Catalog, Kind } from '../api/queries';
import type { Right } from '../model/rights';
import en from './en.json';
import ko from './ko.json';
import koWords from './ko-words.json';
import { rightText } from './rules';

const named = {
  kinds: [{ name: 'vm', title: 'VM' }] as Kind[],
  catalogs: [{ name: 'image', title: 'Image' }] as Catalog[],
};
const all: Right = { verbs: ['*'], kinds: ['*'] };
const some: Right = {
  verbs: ['read', 'create', 'login'],
  kinds: ['vm', 'image', 'connection'],
  connections: ['aws-*,mock', 'aws-1'],
  labels: ['team=a', 'env!=prod'],
};

beforeAll(() =>
  i18next.init({
    lng: 'en',
    resources: { en: { translation: en, words: {} }, ko: { translation: ko, words: koWords } },
    interpolation: { escapeValue: false },
  }),
);

async function say(language: string, right: Right): Promise<string> {
  await i18next.changeLanguage(language);
  return rightText(right, named);
}

it('a right is said in a sentence, in each language', async () => {
  expect(await say('en', all)).toBe('May do everything.');
  expect(await say('ko', all)).toBe('모든 일을 할 수 있습니다.');
  expect(await say('en', some)).toBe(
    'May see, create, and log in to VMs, images, and connections in the connections aws-* or mock, of these in aws-1, if the labels are team=a and env≠prod.',
  );
  expect(await say('ko', some)).toBe(
    '연결 aws-* 또는 mock에서 (그중 aws-1) 라벨이 team=a 및 env≠prod인 VM, 이미지 및 연결에 대해 할 수 있는 일: 조회, 생성 및 SSH 로그인.',
  );
  expect(await say('en', { verbs: ['start'], kinds: ['resource'], connections: ['*'] })).toBe(
    'May start all kinds of resources.',
  );
  expect(await say('en', { verbs: [], kinds: ['vm'] })).toBe('Choose what is allowed, and with what.');
});
