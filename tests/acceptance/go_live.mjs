// The guide's go-live check on the host of the walk, as an administrator runs it.
import { block } from './guide.mjs';

// {code, good, of(id)}: what it found of each check. `environment` wins over the host's settings.
export async function goLive(system, environment = {}) {
  const result = await system.machine.run('bash', ['-uc', `cd; ${block('go-live').trim()} --json 2>/dev/null`], { env: environment });
  let report;
  try {
    report = JSON.parse(result.output);
  } catch {
    throw new Error(`it said no JSON (exit ${result.code}): ${result.output.slice(0, 400)}`);
  }
  const of = (id) => {
    const found = report.checks.find((check) => check.id === id);
    if (!found) throw new Error(`it has no check ${id}: ${report.checks.map((check) => check.id).join(' ')}`);
    return found;
  };
  return { code: result.code, good: report.good, of, checks: report.checks };
}
