import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import { en } from '../en';
import { Button } from './button';
import styles from './components.module.css';

interface Props {
  name: string;
  label: string;
  value: string;
  onInput: (value: string) => void;
  onFocus?: () => void;
  type?: 'text' | 'email' | 'password';
  autoComplete: string;
  hint?: string;
  error?: string | undefined;
  minLength?: number;
  maxLength?: number;
  describedBy?: string;
  children?: ComponentChildren;
}

// A labelled input with its hint and its error; a password can be shown.
export function Field(props: Props) {
  const id = useId();
  const [isShown, setShown] = useState(false);
  const isPassword = props.type === 'password';
  const described = [props.hint && `${id}-hint`, props.error && `${id}-error`, props.describedBy].filter(Boolean).join(' ');
  return (
    <div class={styles.field}>
      <label for={id}>{props.label}</label>
      {props.hint && <p class={styles.hint} id={`${id}-hint`}>{props.hint}</p>}
      <div class={styles.inputRow}>
        <input id={id} name={props.name} type={(isPassword && isShown ? 'text' : (props.type ?? 'text')) as 'text'} value={props.value} required
          autocomplete={props.autoComplete} autocapitalize="none" spellcheck={false} minLength={props.minLength} maxLength={props.maxLength}
          aria-invalid={props.error ? true : undefined} aria-describedby={described || undefined}
          onFocus={props.onFocus} onInput={(event) => props.onInput(event.currentTarget.value)} />
        {isPassword && (
          <Button kind="quiet" pressed={isShown} label={`${isShown ? en.password.hide : en.password.show}: ${props.label}`} onClick={() => setShown(!isShown)}>
            {isShown ? en.password.hide : en.password.show}
          </Button>
        )}
      </div>
      {props.error && <p class={styles.error} id={`${id}-error`}>{props.error}</p>}
      {props.children}
    </div>
  );
}
