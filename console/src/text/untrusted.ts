// Text that a chain, a receiver or another user wrote. It is only ever shown as text; here its invisible characters
// become visible, so that a name cannot look like another one or reverse what stands beside it.

export interface Piece {
  text: string;
  isToken: boolean;   // stands for a character that would not be seen
}

// The 12 characters of Bidi_Control, zero-width and other format characters, line and paragraph separators, controls,
// variation and tag characters. The joiners (U+200C, U+200D) are kept between letters that need them: see below.
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb]|[\u{1bca0}-\u{1bca3}]|[\u{1d173}-\u{1d17a}]|[\u{e0000}-\u{e0fff}]/u;
const SCRIPTS_WITH_JOINERS = /[\p{Script=Arabic}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Tamil}\p{Script=Malayalam}\p{Script=Sinhala}\p{Script=Khmer}\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f]/u;

function isUsefulJoiner(character: string, before: string | undefined, after: string | undefined): boolean {
  if (character !== '\u200c' && character !== '\u200d') return false;
  return before !== undefined && after !== undefined && SCRIPTS_WITH_JOINERS.test(before) && SCRIPTS_WITH_JOINERS.test(after);
}

export function tokenOf(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

export function pieces(text: string): Piece[] {
  const out: Piece[] = [];
  const characters = [...text];
  characters.forEach((character, at) => {
    const isToken = HIDDEN.test(character) && !isUsefulJoiner(character, characters[at - 1], characters[at + 1]);
    const shown = isToken ? tokenOf(character) : character;
    const last = out[out.length - 1];
    if (last && !isToken && !last.isToken) last.text += shown;
    else out.push({ text: shown, isToken });
  });
  return out;
}

const SCRIPTS: readonly RegExp[] = [/\p{Script=Latin}/u, /\p{Script=Cyrillic}/u, /\p{Script=Greek}/u, /\p{Script=Armenian}/u, /\p{Script=Cherokee}/u];

// Letters of scripts that look alike, in one name.
export function hasMixedScripts(text: string): boolean {
  return SCRIPTS.filter((script) => script.test(text)).length > 1;
}

export const MAX_NAME_GRAPHEMES = 64;

// At most so many characters as a reader counts them, then an ellipsis.
export function shortened(text: string, graphemes = MAX_NAME_GRAPHEMES): string {
  const all = typeof Intl.Segmenter === 'function' ? [...new Intl.Segmenter().segment(text)].map((part) => part.segment) : [...text];
  return all.length <= graphemes ? text : `${all.slice(0, graphemes).join('')}…`;
}

export function oneLine(text: string): string {
  return pieces(text).map((piece) => (piece.isToken ? `[${piece.text}]` : piece.text)).join('');
}
