import styles from './components.module.css';

// A value on a short scale of words. `value` null: nothing to measure yet.
export function Meter({ label, value, words, none }: { label: string; value: number | null; words: readonly string[]; none: string }) {
  const text = value === null ? none : (words[value] ?? '');
  return (
    <div class={styles.meterRow}>
      <div class={styles.meter} role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={words.length - 1} aria-valuenow={value ?? 0} aria-valuetext={text} data-value={value ?? 'none'}>
        {words.map((word, at) => <span key={word} data-on={value !== null && at <= value ? '' : undefined} />)}
      </div>
      <span class={styles.hint} aria-hidden="true">{label}: {text}</span>
    </div>
  );
}
