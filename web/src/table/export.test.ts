import { expect, it } from 'vitest';
import { csv } from './export';

it('CSV quotes what needs it and keeps spreadsheets from running anything', () => {
  expect(
    csv(
      ['name', 'n'],
      [
        ['a,b', 1],
        ['say "hi"', undefined],
        ['=cmd()', -2],
        [['x'], { y: 1 }],
      ],
    ),
  ).toBe('name,n\r\n"a,b",1\r\n"say ""hi""",\r\n\'=cmd(),-2\r\n"[""x""]","{""y"":1}"\r\n');
});
