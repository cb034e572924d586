import { useState } from 'preact/hooks';
import { answered, api } from '../api/client';
import { usePolicy } from '../api/policy';
import { useSession } from '../api/session';
import { announce } from '../components/announcer';
import { Button } from '../components/button';
import { Field } from '../components/field';
import { Form, ProblemBox, useForm } from '../components/form';
import { NewPassword } from '../components/new-password';
import { Page } from '../components/page';
import { Name, Untrusted } from '../components/untrusted';
import { en } from '../en';
import { isFit } from '../password/rules';

const words = en.account;

export function AccountPage() {
  const session = useSession();
  const policy = usePolicy();
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const [done, setDone] = useState<string | null>(null);
  const form = useForm(async () => {
    setDone(null);
    const answer = await answered(api.POST('/api/v1/auth/password', { body: { current_password: current, new_password: next } }));
    setCurrent('');
    setNext('');
    setDone(words.changed(answer.sessions_ended));
    announce(words.changed(answer.sessions_ended));
  });
  if (session.state !== 'signed-in') return null;
  const { user } = session;
  return (
    <Page title={words.title}>
      <dl>
        <dt>{words.username}</dt><dd><Untrusted text={user.username} /></dd>
        <dt>{words.email}</dt><dd><Untrusted text={user.email} /></dd>
        <dt>{words.organizations}</dt>
        <dd>{user.organizations.map((organization) => <div key={organization.id}><Name text={organization.name} /> ({organization.role})</div>)}</dd>
      </dl>
      <h2>{words.changePassword}</h2>
      {done !== null && <p>{done}</p>}
      {form.problem && <ProblemBox problem={form.problem} errors={form.errors} />}
      <Form onSubmit={form.onSubmit}>
        {/* So that a password manager knows whose password it is. */}
        <input type="text" name="username" autocomplete="username" value={user.username} readOnly hidden />
        <Field name="current_password" label={words.current} type="password" autoComplete="current-password" value={current} onInput={setCurrent} error={form.errors.current_password} />
        <NewPassword name="new_password" label={words.next} value={next} onInput={setNext} error={form.errors.new_password} policy={policy} own={[user.username, user.email]} />
        <Button kind="main" type="submit" isBusy={form.isBusy} isOff={policy !== null && !isFit(policy, next, [user.username, user.email])}>{words.submit}</Button>
      </Form>
    </Page>
  );
}
