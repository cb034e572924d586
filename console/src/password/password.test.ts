import { describe, expect, test } from 'vitest';
import { standing, type Policy } from './rules';
import { strength } from './strength';

const policy: Policy = {
  policy: 'strict', min_length: 12, max_length: 128, require_uppercase: true, require_lowercase: true, require_digit: true, require_special: true,
  special_characters: '!@#', rules: [], registration: 'open',
};

describe('rules of the policy', () => {
  const at = (code: string, password: string) => standing(code, policy, password, ['alice', '']);
  test('length counts characters, not bytes', () => {
    expect(at('password_too_short', 'é'.repeat(11))).toBe('not-met');
    expect(at('password_too_short', '👍'.repeat(12))).toBe('met');
    expect(at('password_too_long', 'a'.repeat(129))).toBe('not-met');
  });
  test('kinds of characters', () => {
    expect(at('password_no_uppercase', 'abc')).toBe('not-met');
    expect(at('password_no_uppercase', 'aBc')).toBe('met');
    expect(at('password_no_digit', 'a1')).toBe('met');
    expect(at('password_no_special', 'a?')).toBe('not-met');
    expect(at('password_no_special', 'a@')).toBe('met');
  });
  test('the own name, and what only the server knows', () => {
    expect(at('password_is_identity', 'Alice')).toBe('not-met');
    expect(at('password_is_identity', 'alice2')).toBe('met');
    expect(at('password_too_common', 'x')).toBe('server');
    expect(at('a_rule_of_a_later_version', 'x')).toBe('server');
  });
});

test('the meter knows what people choose first', () => {
  expect(strength('password1', [])).toBeLessThanOrEqual(1);
  expect(strength('P@ssw0rd', [])).toBeLessThanOrEqual(1);
  expect(strength('sunshine2024', [])).toBeLessThanOrEqual(2);
  expect(strength('bernadette77', ['bernadette'])).toBeLessThan(strength('bernadette77', []));
  expect(strength('kV9#tq2!mZx8@Lp', [])).toBe(4);
});
