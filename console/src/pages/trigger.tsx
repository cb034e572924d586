import { useRoute } from 'preact-iso/router';
import { useEffect, useRef, useState } from 'preact/hooks';
import { answered, api, type Schemas } from '../api/client';
import { useResource } from '../api/use-resource';
import { announce } from '../components/announcer';
import { Button } from '../components/button';
import { ProblemBox } from '../components/form';
import { Hash } from '../components/hash';
import { Page } from '../components/page';
import { Status } from '../components/status';
import { Time } from '../components/time';
import { Name, Untrusted } from '../components/untrusted';
import { en } from '../en';
import { oneLine, shortened } from '../text/untrusted';
import { BASE } from '../text/paths';
import { Delivery } from './delivery';
import styles from './pages.module.css';
import { stateOfTrigger } from './triggers';

const words = en.trigger;
const DELIVERIES = 20;
const LIVE_MS = 3000;

function About({ trigger }: { trigger: Schemas['TriggerDetailResponse'] }) {
  const conditions = trigger.conditions ?? [];
  const actions = trigger.actions ?? [];
  return (
    <>
      <dl>
        <dt>{en.triggers.status}</dt><dd><Status of={stateOfTrigger(trigger)} /></dd>
        {trigger.last_error !== null && <><dt>{words.error}</dt><dd><Untrusted text={trigger.last_error} /></dd></>}
        <dt>{en.triggers.registry}</dt><dd>{trigger.registry}</dd>
        <dt>{en.triggers.chain}</dt><dd>{trigger.chain_id ?? en.triggers.everyChain}</dd>
        <dt>{words.id}</dt><dd><Hash text={trigger.id} label={words.id} /></dd>
        <dt>{words.created}</dt><dd><Time at={trigger.created_at} /></dd>
      </dl>
      <h2>{words.conditions}</h2>
      {conditions.length === 0 ? <p>{words.noConditions}</p> : (
        <ol class={styles.steps}>
          {conditions.map((condition) => <li key={condition.id}><code>{condition.condition_type}</code> <Untrusted text={words.conditionLine(condition.field, condition.operator, condition.value)} /></li>)}
        </ol>
      )}
      <h2>{words.actions}</h2>
      {actions.length === 0 ? <p>{words.noActions}</p> : (
        <ul class={styles.steps}>
          {actions.map((action) => (
            <li key={action.id}>
              <code>{action.action_type}</code> <Untrusted text={String(action.config.url ?? action.config.chat_id ?? '')} />
              {action.disabled_reason !== null && <> · {words.actionDisabled}: <Untrusted text={action.disabled_reason} /></>}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function Deliveries({ trigger }: { trigger: string }) {
  const [isLive, setLive] = useState(true);
  const { data, problem, isLoading, reload } = useResource(`deliveries ${trigger}`,
    () => answered(api.GET('/api/v1/triggers/{id}/deliveries', { params: { path: { id: trigger }, query: { limit: DELIVERIES } } })),
    isLive ? LIVE_MS : null);
  const total = useRef<number | null>(null);
  useEffect(() => {
    if (data === null) return;
    if (total.current !== null && data.pagination.total > total.current) announce(words.newDeliveries(data.pagination.total - total.current));
    total.current = data.pagination.total;
  }, [data]);
  return (
    <section aria-labelledby="deliveries">
      <h2 id="deliveries">{words.deliveries}</h2>
      <div class={styles.row}>
        <label class={styles.check}><input type="checkbox" checked={isLive} onChange={(event) => setLive(event.currentTarget.checked)} />{words.live}</label>
        <Button kind="quiet" onClick={reload}>{words.refresh}</Button>
        {data !== null && data.data.length > 0 && <span>{words.showing(data.data.length, data.pagination.total)}</span>}
      </div>
      {problem && <ProblemBox problem={problem} />}
      {data === null && isLoading && <p>{en.loading}</p>}
      {data !== null && data.data.length === 0 && <p>{words.noDeliveries}</p>}
      {data?.data.map((delivery) => <Delivery key={delivery.id} of={delivery} />)}
    </section>
  );
}

export function TriggerPage() {
  const id = useRoute().params.id ?? '';
  const { data, problem, isLoading } = useResource(`trigger ${id}`, () => answered(api.GET('/api/v1/triggers/{id}', { params: { path: { id } } })));
  const name = data?.data.name;
  return (
    <Page title={name === undefined ? words.fallbackTitle : oneLine(shortened(name))} heading={name === undefined ? words.fallbackTitle : <Name text={name} />}>
      <p><a href={`${BASE}/triggers`}>{words.back}</a></p>
      {problem && <ProblemBox problem={problem} />}
      {data === null && isLoading && <p>{en.loading}</p>}
      {data !== null && <><About trigger={data.data} /><Deliveries trigger={id} /></>}
    </Page>
  );
}
