// How a row ends: it returns (perhaps with what it saw), throws what it missed, or says that this machine cannot show it.
export class NotRunnable extends Error {}

// This row cannot be seen here at all.
export function notHere(reason) {
  throw new NotRunnable(reason);
}

// `check` of one row under a deadline: {verdict: 'passed' | 'failed' | 'not runnable here', seen, notSeen}.
export async function judge(check, system, deadlineMs) {
  const notSeen = [];
  const row = { without: (what) => notSeen.push(what) };   // a part of the row that this machine cannot show
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${deadlineMs / 1000} s`)), deadlineMs);
  });
  try {
    const seen = await Promise.race([check(system, row), late]);
    return { verdict: 'passed', seen: seen ?? '', notSeen };
  } catch (error) {
    if (error instanceof NotRunnable) return { verdict: 'not runnable here', seen: error.message, notSeen };
    return { verdict: 'failed', seen: tell(error), notSeen };
  } finally {
    clearTimeout(timer);
  }
}

// On one line, with the cause that a wait keeps.
function tell(error) {
  const texts = [];
  for (let each = error; each; each = each.cause) texts.push(each.message ?? String(each));
  return texts.join(': ').replaceAll(/\s*\n\s*/g, ' | ').slice(0, 900);
}
