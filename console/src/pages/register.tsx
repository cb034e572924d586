import { useLocation } from 'preact-iso/router';
import { useState } from 'preact/hooks';
import { usePolicy } from '../api/policy';
import { register } from '../api/session';
import { Button } from '../components/button';
import { Field } from '../components/field';
import { Form, ProblemBox, useForm } from '../components/form';
import { NewPassword } from '../components/new-password';
import { Page } from '../components/page';
import { en } from '../en';
import { isFit } from '../password/rules';
import { BASE } from '../text/paths';
import styles from './pages.module.css';

const words = en.register;

export function RegisterPage() {
  const { query } = useLocation();
  const [username, setUsername] = useState('');
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [invitation, setInvitation] = useState(query.invitation ?? '');   // links that invite carry it
  const policy = usePolicy();
  const isInvited = policy?.registration === 'invited';
  const form = useForm(() => register({ username, email, password, ...(isInvited && { invitation: invitation.trim() }) }));
  const taken = form.problem?.code;
  const signIn = <p>{words.hasAccount} <a href={`${BASE}/sign-in${query.next ? `?next=${encodeURIComponent(query.next)}` : ''}`}>{words.signIn}</a></p>;
  if (policy?.registration === 'closed') {
    return (
      <Page title={words.title}>
        <p>{words.closed}</p>
        {signIn}
      </Page>
    );
  }
  return (
    <Page title={words.title}>
      <div class={styles.narrow}>
        {form.problem && <ProblemBox problem={form.problem} errors={form.errors} />}
        <Form onSubmit={form.onSubmit}>
          {isInvited && (
            <Field name="invitation" label={words.invitation} hint={words.invitationHint} autoComplete="off" value={invitation} onInput={setInvitation}
              error={form.errors.invitation ?? (taken === 'invitation_invalid' ? en.problem(form.problem!) : undefined)} />
          )}
          <Field name="username" label={words.username} hint={words.usernameHint} autoComplete="username" value={username} onInput={setUsername}
            error={form.errors.username ?? (taken === 'username_exists' ? en.problem(form.problem!) : undefined)} />
          <Field name="email" label={words.email} type="email" autoComplete="email" value={email} onInput={setEmail}
            error={form.errors.email ?? (taken === 'email_exists' ? en.problem(form.problem!) : undefined)} />
          <NewPassword name="password" label={words.password} value={password} onInput={setPassword} error={form.errors.password} policy={policy} own={[username, email]} />
          <Button kind="main" type="submit" isBusy={form.isBusy} isOff={policy !== null && !isFit(policy, password, [username, email])}>{words.submit}</Button>
        </Form>
        {signIn}
      </div>
    </Page>
  );
}
