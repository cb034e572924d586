import { useState } from 'preact/hooks';
import { en } from '../en';
import { shortHash } from '../text/format';
import { oneLine } from '../text/untrusted';
import { Button } from './button';
import styles from './components.module.css';

// An id, hash or address: short to read, whole to copy.
export function Hash({ text, label }: { text: string; label: string }) {
  const [isCopied, setCopied] = useState(false);
  return (
    <span class={styles.hash}>
      <code title={oneLine(text)}>{oneLine(shortHash(text))}</code>
      {window.isSecureContext && (
        <Button kind="quiet" label={`${en.hash.copy}: ${label}`} onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true), () => setCopied(false))}>
          {isCopied ? en.hash.copied : en.hash.copy}
        </Button>
      )}
    </span>
  );
}
