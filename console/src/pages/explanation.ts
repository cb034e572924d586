// The explanation of a delivery as the engine stored it. It is read with care: an older version may have written it.
export interface Step {
  type: string;
  result: string;
  text: string;
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const text = (value: unknown) => (typeof value === 'string' ? value : '');

export function stepsOf(explanation: unknown): Step[] {
  if (!isRecord(explanation) || !Array.isArray(explanation.steps)) return [];
  return explanation.steps.filter(isRecord).map((step) => ({ type: text(step.condition_type), result: text(step.result), text: text(step.text) }));
}
