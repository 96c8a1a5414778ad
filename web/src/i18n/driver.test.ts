import { expect, it } from 'vitest';
import type { Schemas } from '../api/client';
import { inLanguage } from './driver';

const driver = {
  name: 'toy',
  title: 'Toy',
  doc: 'A cloud.',
  credential: [{ name: 'key', title: 'Key', doc: 'The key.', where: 'Ask.', type: 'string' }],
  settings: [{ name: 'size', title: 'Size', doc: 'How large.', type: 'int' }],
  extensions: [{ name: 'nod', doc: 'Nods.' }],
  texts: { ko: { Key: '키', 'The key.': '키입니다.', 'Ask.': '문의하십시오.', Size: '크기', 'Nods.': '끄덕입니다.' } },
} as unknown as Schemas['Description'];

it('a driver is shown in the language of the page, and in English where it does not speak it', () => {
  const spoken = inLanguage(driver, 'ko');
  expect(spoken.credential?.[0]).toMatchObject({ name: 'key', title: '키', doc: '키입니다.', where: '문의하십시오.' });
  expect(spoken.settings?.[0]).toMatchObject({ title: '크기', doc: 'How large.', where: undefined });
  expect(spoken.extensions?.[0]?.doc).toBe('끄덕입니다.');
  expect(spoken.title).toBe('Toy');
  expect(inLanguage(driver, 'en')).toBe(driver);
  expect(inLanguage({ ...driver, texts: undefined }, 'ko').credential?.[0]?.title).toBe('Key');
});
