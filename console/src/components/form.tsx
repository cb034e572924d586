import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Problem } from '../api/problem';
import { en } from '../en';
import styles from './components.module.css';

export type FieldErrors = Readonly<Record<string, string>>;

// Sends once at a time; what went wrong stands at the fields and in a summary that gets the focus.
export function useForm(submit: () => Promise<void>) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [errors, setErrors] = useState<FieldErrors>({});
  const [isBusy, setBusy] = useState(false);

  const run = async (work: () => Promise<void>) => {
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    setErrors({});
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const found: Record<string, string> = {};
      for (const detail of error.details) {
        if (detail.field === undefined) continue;
        const before = found[detail.field];
        found[detail.field] = before ? `${before}. ${en.detail(detail)}` : en.detail(detail);
      }
      setErrors(found);
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };

  const onSubmit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const found: Record<string, string> = {};
    for (const input of form.querySelectorAll('input')) {
      if (input.validity.valueMissing) found[input.name] = en.form.required;
      else if (input.validity.typeMismatch) found[input.name] = en.form.email;
    }
    if (Object.keys(found).length === 0) return void run(submit);
    setProblem(null);
    setErrors(found);
    form.querySelector<HTMLInputElement>(`[name="${Object.keys(found)[0]}"]`)?.focus();
  };
  return { problem, errors, isBusy, onSubmit, run };
}

export function ProblemBox({ problem, errors = {} }: { problem: Problem; errors?: FieldErrors }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => box.current?.focus(), [problem]);
  const lines = Object.values(errors);
  return (
    <div class={styles.problem} role="alert" tabIndex={-1} ref={box}>
      <p>{lines.length > 0 && problem.code === 'validation_error' ? en.form.summary : en.problem(problem)}</p>
      {lines.length > 0 && <ul>{lines.map((line) => <li key={line}>{line}</li>)}</ul>}
      {problem.requestId !== null && <p class={styles.hint}>{en.requestId(problem.requestId)}</p>}
    </div>
  );
}

export function Form({ onSubmit, children }: { onSubmit: (event: SubmitEvent) => void; children: ComponentChildren }) {
  // Our own words beside the fields instead of the browser's bubbles.
  return <form class={styles.form} noValidate method="post" onSubmit={onSubmit}>{children}</form>;
}
