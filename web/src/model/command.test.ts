import { describe, expect, it } from 'vitest';
import { command } from './command';

const verbs = [
  { name: 'start', title: 'Start' },
  { name: 'stop', title: 'Stop' },
  { name: 'addrules', title: 'Add rules' },
];

describe('what is typed into the palette', () => {
  it('says what to do, and with what', () => {
    expect(command('stop web-1', verbs)).toEqual({ verbs: new Set(['stop']), words: 'web-1' });
    expect(command('Web-1 ST', verbs)).toEqual({ verbs: new Set(['start', 'stop']), words: 'web-1' });
    expect(command('rules https', verbs)).toEqual({ verbs: new Set(['addrules']), words: 'https' });
  });

  it('is a name alone otherwise', () => {
    expect(command('web-1', verbs)).toEqual({ verbs: new Set(), words: 'web-1' });
    expect(command('stop', verbs)).toEqual({ verbs: new Set(), words: 'stop' });
  });
});
