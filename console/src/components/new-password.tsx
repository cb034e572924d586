import { useId, useState } from 'preact/hooks';
import type { Policy } from '../api/policy';
import { en } from '../en';
import { standing } from '../password/rules';
import pages from '../pages/pages.module.css';
import { Field } from './field';
import { Meter } from './meter';

interface Props {
  name: string;
  label: string;
  value: string;
  onInput: (value: string) => void;
  error?: string | undefined;
  policy: Policy | null;
  own: readonly string[];   // user name, e-mail
}
type Guess = (password: string, own: readonly string[]) => number;

// A field for a password to be, with the server's rules and a meter.
export function NewPassword({ own, policy, ...field }: Props) {
  const id = useId();
  const [guess, setGuess] = useState<Guess | null>(null);
  const load = () => void import('../password/strength').then((module) => setGuess(() => module.strength), () => undefined);
  return (
    <Field {...field} type="password" autoComplete="new-password" describedBy={id} onFocus={() => guess === null && load()}>
      {guess !== null && <Meter label={en.password.strength} words={en.password.levels} none={en.password.none} value={field.value === '' ? null : guess(field.value, own)} />}
      <div id={id}>
        {policy !== null && (
          <ul class={pages.rules} aria-label={en.password.rules}>
            {policy.rules.map((rule) => {
              const where = standing(rule.code, policy, field.value, own);
              return (
                <li key={rule.code}>
                  <span aria-hidden="true">{where === 'met' ? '✓ ' : '· '}</span>
                  {en.password.ruleTexts[rule.code] ?? rule.message} ({where === 'met' ? en.password.met : where === 'server' ? en.password.checkedLater : en.password.notMet})
                </li>
              );
            })}
          </ul>
        )}
      </div>
    </Field>
  );
}
