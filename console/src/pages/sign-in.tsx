import { useLocation } from 'preact-iso/router';
import { useState } from 'preact/hooks';
import { Problem } from '../api/problem';
import { signIn, signInByWallet } from '../api/session';
import { findWallet } from '../api/wallet';
import { Button } from '../components/button';
import { Field } from '../components/field';
import { Form, ProblemBox, useForm } from '../components/form';
import { Page } from '../components/page';
import { en } from '../en';
import { BASE } from '../text/paths';
import styles from './pages.module.css';

const words = en.signIn;

export function SignInPage() {
  const { query } = useLocation();
  const [identifier, setIdentifier] = useState('');
  const [password, setPassword] = useState('');
  const [lacksWallet, setLacksWallet] = useState(false);
  const form = useForm(async () => {
    try {
      await signIn(identifier, password);
    } catch (error) {
      if (error instanceof Problem && error.code === 'invalid_credentials') setPassword('');
      throw error;
    }
  });
  const wallet = useForm(async () => {});
  const withWallet = () => {
    const found = findWallet();
    setLacksWallet(found === null);
    if (found !== null) void wallet.run(() => signInByWallet(found));
  };
  return (
    <Page title={words.title}>
      <div class={styles.narrow}>
        {!window.isSecureContext && <p>{words.insecure}</p>}
        {form.problem && <ProblemBox problem={form.problem} errors={form.errors} />}
        <Form onSubmit={form.onSubmit}>
          <Field name="username_or_email" label={words.identifier} autoComplete="username" value={identifier} onInput={setIdentifier} error={form.errors.username_or_email} />
          <Field name="password" label={words.password} type="password" autoComplete="current-password" value={password} onInput={setPassword} error={form.errors.password} />
          <Button kind="main" type="submit" isBusy={form.isBusy}>{words.submit}</Button>
        </Form>
        <div>
          <Button isBusy={wallet.isBusy} onClick={withWallet}>{wallet.isBusy ? words.waitingForWallet : words.wallet}</Button>
          <p>{words.walletHint}</p>
          {lacksWallet && <p role="alert">{words.noWallet}</p>}
          {wallet.problem && <ProblemBox problem={wallet.problem} errors={wallet.errors} />}
        </div>
        <p>{words.noAccount} <a href={`${BASE}/register${query.next ? `?next=${encodeURIComponent(query.next)}` : ''}`}>{words.register}</a></p>
      </div>
    </Page>
  );
}
