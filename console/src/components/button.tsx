import type { ComponentChildren } from 'preact';
import styles from './components.module.css';

interface Props {
  children: ComponentChildren;
  kind?: 'main' | 'plain' | 'quiet';
  type?: 'button' | 'submit';
  isBusy?: boolean;
  pressed?: boolean;
  label?: string;
  onClick?: () => void;
}

// While it is busy it keeps the focus and does nothing.
export function Button({ children, kind = 'plain', type = 'button', isBusy = false, pressed, label, onClick }: Props) {
  return (
    <button class={`${styles.button} ${styles[kind] ?? ''}`} type={type} aria-disabled={isBusy || undefined} aria-pressed={pressed} aria-label={label}
      onClick={(event) => {
        if (isBusy) event.preventDefault();
        else onClick?.();
      }}>
      {children}
    </button>
  );
}
