// How long somebody would guess at a password: a chunk of its own, loaded when a new password is begun.
import { ZxcvbnFactory } from '@zxcvbn-ts/core';
import { WORDS } from './words';

const guesser = new ZxcvbnFactory({ dictionary: { words: [...new Set(WORDS)] }, maxLength: 128 });

// 0 (very weak) to 4 (strong). `own`: what is known of the user, such as the name.
export function strength(password: string, own: readonly string[]): number {
  return guesser.check(password, own.filter((word) => word !== '')).score;
}
