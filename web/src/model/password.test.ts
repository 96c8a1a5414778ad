import { expect, it } from 'vitest';
import { passwordRules } from './password';

it('the rules of passwords count characters, in any script', () => {
  expect(passwordRules('short')).toEqual({ long: false, varied: false });
  expect(passwordRules('aaaaaaaaaaaaaaaa')).toEqual({ long: true, varied: false });
  expect(passwordRules('correct horse')).toEqual({ long: true, varied: true });
  expect(passwordRules('나는 매일 커피를 마신다')).toEqual({ long: true, varied: true });
  expect(passwordRules('😀'.repeat(11)).long).toBe(false);
});
