import { expect, test } from 'vitest';
import { stepsOf } from './explanation';

test('steps are read, whatever else is there', () => {
  const step = { condition: 0, condition_id: '1', condition_type: 'score_threshold', result: 'passed', text: 'score 45 < 60' };
  expect(stepsOf({ decision: 'match', steps: [step, 'x', null, {}] })).toEqual([
    { type: 'score_threshold', result: 'passed', text: 'score 45 < 60' }, { type: '', result: '', text: '' }]);
  for (const other of [null, undefined, 'text', [], {}, { steps: 'none' }]) expect(stepsOf(other)).toEqual([]);
});
