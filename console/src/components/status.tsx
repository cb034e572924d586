import { en } from '../en';
import styles from './components.module.css';

// A word with a shape; colour only repeats them.
const LOOKS: Readonly<Record<string, readonly [shape: string, tone: string]>> = {
  enabled: ['●', 'good'], succeeded: ['✓', 'good'], ok: ['✓', 'good'], passed: ['✓', 'good'],
  disabled: ['○', 'calm'], cancelled: ['○', 'calm'], expired: ['○', 'calm'],
  held: ['…', 'calm'], pending: ['…', 'calm'], leased: ['→', 'calm'],
  unknown: ['?', 'warn'], failing: ['!', 'bad'],
  dead: ['✕', 'bad'], refused: ['✕', 'bad'], network: ['✕', 'bad'], http: ['✕', 'bad'], failed: ['✕', 'bad'], error: ['!', 'bad'],
};

export function Status({ of: state }: { of: string }) {
  const [shape, tone] = LOOKS[state] ?? ['?', 'calm'];
  return (
    <span class={`${styles.status} ${styles[tone] ?? ''}`}>
      <span aria-hidden="true">{shape} </span>{en.status[state] ?? state}
    </span>
  );
}
