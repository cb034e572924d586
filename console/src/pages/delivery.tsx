import type { Schemas } from '../api/client';
import { Hash } from '../components/hash';
import { Status } from '../components/status';
import { Time } from '../components/time';
import { Untrusted } from '../components/untrusted';
import { en } from '../en';
import { duration, shortHash } from '../text/format';
import { stepsOf } from './explanation';
import styles from './pages.module.css';

const words = en.delivery;

function Attempts({ attempts }: { attempts: readonly Schemas['AttemptResponse'][] }) {
  if (attempts.length === 0) return <p>{words.noAttempts}</p>;
  return (
    <div class={styles.wide}>
      <table>
        <thead>
          <tr><th scope="col">{words.attempt}</th><th scope="col">{words.outcome}</th><th scope="col">{words.answer}</th><th scope="col">{words.took}</th><th scope="col">{words.started}</th></tr>
        </thead>
        <tbody>
          {attempts.map((attempt) => (
            <tr key={attempt.n}>
              <th scope="row">{attempt.n}</th>
              <td data-label={words.outcome}>{attempt.outcome === null ? words.running : <Status of={attempt.outcome} />}</td>
              <td data-label={words.answer}>
                {attempt.status ?? words.noAnswer}
                {attempt.excerpt && (
                  <details>
                    <summary>{words.excerpt}</summary>
                    <pre class={styles.excerpt} tabIndex={0}><Untrusted text={attempt.excerpt} /></pre>
                  </details>
                )}
              </td>
              <td data-label={words.took}>{attempt.duration_us === null ? '–' : duration(attempt.duration_us)}</td>
              <td data-label={words.started}><Time at={attempt.started_at} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Delivery({ of: delivery }: { of: Schemas['DeliveryResponse'] }) {
  const steps = stepsOf(delivery.explanation);
  return (
    <article class={styles.delivery} aria-label={words.title(shortHash(delivery.id))}>
      <header>
        <h3><Status of={delivery.state} /></h3>
        <Time at={delivery.created_at} />
        <Hash text={delivery.id} label={words.title(shortHash(delivery.id))} />
      </header>
      <dl>
        <dt>{words.event}</dt>
        <dd><Untrusted text={delivery.event_id} />, {words.chainBlock(String(delivery.chain_id), String(delivery.block_number))}{delivery.orphaned && ` ${words.orphaned}`}</dd>
        {delivery.reason !== null && <><dt>{words.reason}</dt><dd><Untrusted text={delivery.reason} /></dd></>}
        {delivery.next_attempt_at !== null && delivery.state === 'pending' && <><dt>{words.next}</dt><dd><Time at={delivery.next_attempt_at} /></dd></>}
      </dl>
      <h4>{words.explanation}</h4>
      {steps.length === 0 ? <p>{words.noExplanation}</p> : (
        <ol class={styles.steps}>
          {steps.map((step, at) => <li key={at}><Status of={step.result} /> <code><Untrusted text={step.type} /></code> <Untrusted text={step.text} /></li>)}
        </ol>
      )}
      <h4>{words.attempts}</h4>
      <Attempts attempts={delivery.attempts} />
    </article>
  );
}
