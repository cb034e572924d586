import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { en } from '../en';
import styles from './components.module.css';

let isFirst = true;

// The heading of a page: names the tab, and gets the focus when one comes here from another page.
export function Page({ title, heading, children }: { title: string; heading?: ComponentChildren; children: ComponentChildren }) {
  const h1 = useRef<HTMLHeadingElement>(null);
  useEffect(() => void (document.title = en.pageTitle(title)), [title]);
  useEffect(() => {
    if (!isFirst) h1.current?.focus();
    isFirst = false;
  }, []);
  return (
    <>
      <h1 class={styles.h1} tabIndex={-1} ref={h1}>{heading ?? title}</h1>
      {children}
    </>
  );
}
