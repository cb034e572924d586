import { useLocation } from 'preact-iso/router';
import { useState } from 'preact/hooks';
import { register } from '../api/session';
import { Button } from '../components/button';
import { Field } from '../components/field';
import { Form, ProblemBox, useForm } from '../components/form';
import { NewPassword } from '../components/new-password';
import { Page } from '../components/page';
import { en } from '../en';
import { BASE } from '../text/paths';
import styles from './pages.module.css';

const words = en.register;

export function RegisterPage() {
  const { query } = useLocation();
  const [username, setUsername] = useState('');
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const form = useForm(() => register({ username, email, password }));
  const taken = form.problem?.code;
  return (
    <Page title={words.title}>
      <div class={styles.narrow}>
        {form.problem && <ProblemBox problem={form.problem} errors={form.errors} />}
        <Form onSubmit={form.onSubmit}>
          <Field name="username" label={words.username} hint={words.usernameHint} autoComplete="username" value={username} onInput={setUsername}
            error={form.errors.username ?? (taken === 'username_exists' ? en.problem(form.problem!) : undefined)} />
          <Field name="email" label={words.email} type="email" autoComplete="email" value={email} onInput={setEmail}
            error={form.errors.email ?? (taken === 'email_exists' ? en.problem(form.problem!) : undefined)} />
          <NewPassword name="password" label={words.password} value={password} onInput={setPassword} error={form.errors.password} own={[username, email]} />
          <Button kind="main" type="submit" isBusy={form.isBusy}>{words.submit}</Button>
        </Form>
        <p>{words.hasAccount} <a href={`${BASE}/sign-in${query.next ? `?next=${encodeURIComponent(query.next)}` : ''}`}>{words.signIn}</a></p>
      </div>
    </Page>
  );
}
