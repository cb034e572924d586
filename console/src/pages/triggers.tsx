import { useState } from 'preact/hooks';
import { answered, api, type Schemas } from '../api/client';
import { useResource } from '../api/use-resource';
import { Button } from '../components/button';
import { ProblemBox } from '../components/form';
import { Page } from '../components/page';
import { Status } from '../components/status';
import { Time } from '../components/time';
import { Name } from '../components/untrusted';
import { en } from '../en';
import { BASE } from '../text/paths';
import styles from './pages.module.css';

const words = en.triggers;
const PAGE = 20;

type Trigger = Schemas['TriggerResponse'];
type Delivery = Schemas['DeliveryResponse'];

export function stateOfTrigger(trigger: Trigger): string {
  if (!trigger.enabled) return 'disabled';
  return trigger.last_error === null ? 'enabled' : 'failing';
}

// The list, and of each trigger on the page its newest delivery.
async function load(offset: number) {
  const page = await answered(api.GET('/api/v1/triggers', { params: { query: { limit: PAGE, offset } } }));
  const newest = await Promise.all(page.data.map(async (trigger): Promise<Delivery | undefined> => {
    const found = await answered(api.GET('/api/v1/triggers/{id}/deliveries', { params: { path: { id: trigger.id }, query: { limit: 1 } } }));
    return found.data[0];
  }));
  return { ...page, newest };
}

export function TriggersPage() {
  const [offset, setOffset] = useState(0);
  const { data, problem, isLoading, reload } = useResource(`triggers ${offset}`, () => load(offset));
  return (
    <Page title={words.title}>
      {problem && <><ProblemBox problem={problem} /><p><Button onClick={reload}>{en.retry}</Button></p></>}
      {data === null && isLoading && <p>{en.loading}</p>}
      {data !== null && data.data.length === 0 && <p>{words.empty}</p>}
      {data !== null && data.data.length > 0 && (
        <div class={styles.wide}>
          <table>
            <caption>{words.caption}. {words.showing(data.data.length, data.pagination.total)}</caption>
            <thead>
              <tr><th scope="col">{words.name}</th><th scope="col">{words.status}</th><th scope="col">{words.registry}</th><th scope="col">{words.chain}</th><th scope="col">{words.lastDelivery}</th></tr>
            </thead>
            <tbody>
              {data.data.map((trigger, at) => {
                const newest = data.newest[at];
                return (
                  <tr key={trigger.id}>
                    <th scope="row"><a href={`${BASE}/triggers/${trigger.id}`}><Name text={trigger.name} /></a></th>
                    <td data-label={words.status}><Status of={stateOfTrigger(trigger)} /></td>
                    <td data-label={words.registry}>{trigger.registry}</td>
                    <td data-label={words.chain}>{trigger.chain_id ?? words.everyChain}</td>
                    <td data-label={words.lastDelivery}>{newest ? <><Status of={newest.state} /> <Time at={newest.created_at} /></> : words.noDelivery}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
      {data !== null && (offset > 0 || data.pagination.has_more) && (
        <nav class={styles.pages} aria-label={words.pages}>
          {offset > 0 && <Button onClick={() => setOffset(Math.max(0, offset - PAGE))}>{words.previous}</Button>}
          {data.pagination.has_more && <Button onClick={() => setOffset(offset + PAGE)}>{words.next}</Button>}
        </nav>
      )}
    </Page>
  );
}
