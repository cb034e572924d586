// What went wrong with a call, in the one shape that the API has for it.
export interface Detail {
  field?: string;
  code: string;
  message: string;
}

export class Problem extends Error {
  constructor(
    readonly status: number,   // 0: no answer came
    readonly code: string,
    message: string,
    readonly requestId: string | null = null,
    readonly details: readonly Detail[] = [],
    readonly retryAfterSeconds: number | null = null,
  ) {
    super(message);
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const text = (value: unknown) => (typeof value === 'string' ? value : null);

// `body` comes over the wire and may be anything: a proxy's page as well.
export function problemOf(status: number, body: unknown, retryAfter: string | null): Problem {
  const record = isRecord(body) ? body : {};
  const rows = Array.isArray(record.details) ? record.details.filter(isRecord) : [];
  const details = rows.map((row): Detail => {
    const field = text(row.field);
    return { ...(field === null ? {} : { field }), code: text(row.code) ?? '', message: text(row.message) ?? '' };
  });
  const seconds = retryAfter !== null && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : null;
  return new Problem(status, text(record.error) ?? `http_${status}`, text(record.message) ?? '', text(record.request_id), details, seconds);
}

export function unreachable(): Problem {
  return new Problem(0, 'unreachable', '');
}
