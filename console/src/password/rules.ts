import type { Schemas } from '../api/client';

export type Policy = Schemas['PasswordPolicyResponse'];
export type Standing = 'met' | 'not-met' | 'server';

// Whether every rule is met that a page can judge.
export function isFit(policy: Policy, password: string, own: readonly string[]): boolean {
  return policy.rules.every((rule) => standing(rule.code, policy, password, own) !== 'not-met');
}

// Where a password stands with one rule of the policy, as far as a page can tell; the server decides.
export function standing(code: string, policy: Policy, password: string, own: readonly string[]): Standing {
  const characters = [...password].length;
  const says = (met: boolean): Standing => (met ? 'met' : 'not-met');
  switch (code) {
    case 'password_too_short':
      return says(characters >= policy.min_length);
    case 'password_too_long':
      return says(characters > 0 && characters <= policy.max_length);
    case 'password_no_uppercase':
      return says(/\p{Lu}/u.test(password));
    case 'password_no_lowercase':
      return says(/\p{Ll}/u.test(password));
    case 'password_no_digit':
      return says(/[0-9]/.test(password));
    case 'password_no_special':
      return says([...password].some((character) => policy.special_characters.includes(character)));
    case 'password_is_identity':
      return says(characters > 0 && !own.some((word) => word !== '' && word.toLowerCase() === password.toLowerCase()));
    default:
      return 'server';
  }
}
