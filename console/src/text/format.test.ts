import { expect, test } from 'vitest';
import { ago, duration, shortHash } from './format';
import { safeNext } from './paths';

test('times are said as distances', () => {
  const now = new Date('2026-01-15T10:00:00Z');
  const at = (seconds: number) => ago(new Date(now.getTime() + seconds * 1000), now);
  expect(at(0)).toBe('now');
  expect(at(-59)).toBe('59 seconds ago');
  expect(at(-60)).toBe('1 minute ago');
  expect(at(-3 * 3600)).toBe('3 hours ago');
  expect(at(90)).toBe('in 1 minute');
  expect(at(-86_400)).toBe('yesterday');
});

test('durations change their unit', () => {
  expect([0, 999, 1500, 41_000, 1_200_000].map(duration)).toEqual(['0 µs', '999 µs', '1.5 ms', '41 ms', '1.2 s']);
});

test('hashes are shortened in the middle', () => {
  expect(shortHash('0x1234567890abcdef1234567890abcdef12345678')).toBe('0x123456…5678');
  expect(shortHash('0x12')).toBe('0x12');
});

test('after signing in only pages of the console are gone to', () => {
  expect(safeNext('/console/account')).toBe('/console/account');
  for (const bad of [undefined, '', '//evil.example', 'https://evil.example', '/console//evil.example', '/console/../x', '/console/\\evil', 'javascript:alert(1)', '/api/v1/auth/logout', `/console/${'a'.repeat(600)}`])
    expect(safeNext(bad)).toBe('/console/triggers');
});
