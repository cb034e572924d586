import { LocationProvider, Route, Router, useLocation } from 'preact-iso/router';
import { useEffect } from 'preact/hooks';
import { loadSession, signOut, useSession, type Session } from './api/session';
import { Announcer, announce } from './components/announcer';
import { Button } from './components/button';
import { ProblemBox, useForm } from './components/form';
import { Page } from './components/page';
import { Name } from './components/untrusted';
import { en } from './en';
import { AccountPage } from './pages/account';
import styles from './pages/pages.module.css';
import { RegisterPage } from './pages/register';
import { SignInPage } from './pages/sign-in';
import { TriggerPage } from './pages/trigger';
import { TriggersPage } from './pages/triggers';
import { BASE, safeNext } from './text/paths';

// Goes there without an entry in the history.
function Redirect({ to }: { to: string }) {
  const { route } = useLocation();
  useEffect(() => route(to, true), [to]);
  return null;
}

function NotFound() {
  return (
    <Page title={en.notFound.title}>
      <p>{en.notFound.text}</p>
      <p><a href={`${BASE}/triggers`}>{en.notFound.back}</a></p>
    </Page>
  );
}

function Header({ session }: { session: Session & { state: 'signed-in' } }) {
  const { path } = useLocation();
  const form = useForm(signOut);
  const link = (to: string, text: string) => (
    <a href={`${BASE}/${to}`} aria-current={path === `${BASE}/${to}` ? 'page' : undefined}>{text}</a>
  );
  return (
    <header class={styles.bar}>
      <span class={styles.brand}>{en.product}</span>
      <nav aria-label={en.nav.label}>{link('triggers', en.nav.triggers)}{link('account', en.nav.account)}</nav>
      <div class={styles.who}>
        <span>{en.nav.signedInAs} <Name text={session.user.name ?? session.user.username} /></span>
        <Button kind="quiet" isBusy={form.isBusy} onClick={() => void form.run(signOut)}>{en.nav.signOut}</Button>
      </div>
      {form.problem && <ProblemBox problem={form.problem} />}
    </header>
  );
}

function Pages({ session }: { session: Session }) {
  const { path, query } = useLocation();
  const here = path.replace(/\/$/, '');
  const isForVisitors = here === `${BASE}/sign-in` || here === `${BASE}/register`;
  if (session.state === 'unknown') return <p>{en.loading}</p>;
  if (session.state === 'failed') {
    return (
      <Page title={en.product}>
        <ProblemBox problem={session.problem} />
        <p><Button onClick={() => void loadSession()}>{en.retry}</Button></p>
      </Page>
    );
  }
  if (session.state === 'signed-out' && !isForVisitors) {
    const next = here === BASE ? '' : `?next=${encodeURIComponent(path)}`;
    return <Redirect to={`${BASE}/sign-in${next}`} />;
  }
  if (session.state === 'signed-in' && isForVisitors) return <Redirect to={safeNext(query.next)} />;
  if (here === BASE) return <Redirect to={`${BASE}/triggers`} />;
  return (
    <Router>
      <Route path={`${BASE}/sign-in`} component={SignInPage} />
      <Route path={`${BASE}/register`} component={RegisterPage} />
      <Route path={`${BASE}/account`} component={AccountPage} />
      <Route path={`${BASE}/triggers`} component={TriggersPage} />
      <Route path={`${BASE}/triggers/:id`} component={TriggerPage} />
      <Route default component={NotFound} />
    </Router>
  );
}

function Frame() {
  const session = useSession();
  useEffect(() => {
    if (session.state === 'unknown') announce(en.loading);
  }, [session.state]);
  return (
    <>
      <a class={styles.skip} href="#main">{en.skip}</a>
      {session.state === 'signed-in' && <Header session={session} />}
      <main class={styles.main} id="main" tabIndex={-1}><Pages session={session} /></main>
      <footer class={styles.foot}><a href={`${BASE}/licences.txt`} target="_blank" rel="noopener noreferrer">{en.nav.licences}</a></footer>
      <Announcer />
    </>
  );
}

export function App() {
  return <LocationProvider scope={`${BASE}/`}><Frame /></LocationProvider>;
}
