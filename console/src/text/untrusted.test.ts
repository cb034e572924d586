import { describe, expect, test } from 'vitest';
import { hasMixedScripts, oneLine, pieces, shortened, tokenOf } from './untrusted';

const BIDI_CONTROL = [0x061c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069];
const OTHERS = [0x00, 0x09, 0x0a, 0x1b, 0x7f, 0x85, 0xad, 0x200b, 0x200c, 0x200d, 0x2028, 0x2029, 0x2060, 0xfeff, 0xe0041];

describe('what would not be seen', () => {
  test.each([...BIDI_CONTROL, ...OTHERS].map((code) => [code.toString(16), String.fromCodePoint(code)]))('U+%s becomes a token', (_, character) => {
    const shown = pieces(`a${character}b`);
    expect(shown).toEqual([{ text: 'a', isToken: false }, { text: tokenOf(character), isToken: true }, { text: 'b', isToken: false }]);
  });

  test('text that runs from right to left is unharmed, and so are joiners where a script needs them', () => {
    for (const text of ['مرحبا بالعالم', 'שלום', 'می\u200cخواهم', '👩\u200d💻', '👍🏽', 'a normal name 1.0'])
      expect(pieces(text)).toEqual([{ text, isToken: false }]);
  });

  test('markup stays text', () => {
    expect(oneLine('<img src=x onerror=alert(1)>')).toBe('<img src=x onerror=alert(1)>');
    expect(oneLine('a\u202eb')).toBe('a[U+202E]b');
  });
});

test('names whose letters come from scripts that look alike are marked', () => {
  expect(hasMixedScripts('p\u0430ypal')).toBe(true);
  expect(hasMixedScripts('paypal')).toBe(false);
  expect(hasMixedScripts('Агент 7')).toBe(false);
});

test('a name is cut after 64 characters as a reader counts them', () => {
  const family = '👩\u200d👩\u200d👧';
  expect(shortened(family.repeat(64))).toBe(family.repeat(64));
  expect(shortened(family.repeat(65))).toBe(`${family.repeat(64)}…`);
  expect(shortened('')).toBe('');
});
