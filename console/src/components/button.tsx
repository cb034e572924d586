import type { ComponentChildren } from 'preact';
import styles from './components.module.css';

interface Props {
  children: ComponentChildren;
  kind?: 'main' | 'plain' | 'quiet';
  type?: 'button' | 'submit';
  isBusy?: boolean;
  isOff?: boolean;   // what it is for cannot be done yet
  pressed?: boolean;
  label?: string;
  onClick?: () => void;
}

// While it is busy or off it keeps the focus and does nothing.
export function Button({ children, kind = 'plain', type = 'button', isBusy = false, isOff = false, pressed, label, onClick }: Props) {
  return (
    <button class={`${styles.button} ${styles[kind] ?? ''}`} type={type} aria-disabled={isBusy || isOff || undefined} aria-pressed={pressed} aria-label={label}
      onClick={(event) => {
        if (isBusy || isOff) event.preventDefault();
        else onClick?.();
      }}>
      {children}
    </button>
  );
}
