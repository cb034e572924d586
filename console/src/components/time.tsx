import { ago } from '../text/format';

// A distance to read, the exact moment behind it. Rendered again with its page, which is often enough.
export function Time({ at }: { at: string }) {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return <>{at}</>;
  return <time dateTime={time.toISOString()} title={time.toLocaleString()}>{ago(time, new Date())}</time>;
}
