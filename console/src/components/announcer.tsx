import { useEffect, useState } from 'preact/hooks';
import styles from './components.module.css';

// The one polite live region. Messages of five seconds are said together.
const BATCH_MS = 5000;
let waiting: string[] = [];
let timer: ReturnType<typeof setTimeout> | null = null;
let last = 0;
let show: (text: string) => void = () => {};

function flush(): void {
  timer = null;
  last = Date.now();
  show(waiting.join(' '));
  waiting = [];
}

export function announce(text: string): void {
  waiting.push(text);
  timer ??= setTimeout(flush, Math.max(50, last + BATCH_MS - Date.now()));
}

export function Announcer() {
  const [text, setText] = useState('');
  useEffect(() => {
    show = setText;
    return () => void (show = () => {});
  }, []);
  return <div class={styles.heardOnly} role="status" aria-live="polite">{text}</div>;
}
