import { en } from '../en';
import { hasMixedScripts, pieces, shortened } from '../text/untrusted';
import styles from './components.module.css';

// Text that somebody else wrote: isolated, as text, with what is hidden made visible.
export function Untrusted({ text }: { text: string }) {
  return (
    <bdi>
      {pieces(text).map((piece, at) =>
        piece.isToken ? <span key={at} class={styles.token} title={en.untrusted.hidden(piece.text)}>{piece.text}</span> : piece.text)}
    </bdi>
  );
}

// A name: the same, cut, and marked when its letters come from scripts that look alike.
export function Name({ text }: { text: string }) {
  return (
    <>
      <Untrusted text={shortened(text)} />
      {hasMixedScripts(text) && <span class={styles.badge}>{en.untrusted.mixedScripts}</span>}
    </>
  );
}
