import { failure } from '../operation/failures.js';
import type { FanOutRules } from '../operation/fan-out.js';
import { CANARY_MAX, DEFAULT_RULES, WINDOW_MAX } from './fleet.js';

const BOUNDS: [keyof FanOutRules, number, number][] = [
  ['window', 1, WINDOW_MAX],
  ['canary', 0, CANARY_MAX],
  ['stopAfterFailures', 0, 100],
];

/** Starts by hand bring their own rules: absent ones are the defaults, wrong ones are `InvalidInput`. */
export function rulesOf(rules: unknown): FanOutRules {
  if (rules !== undefined && (typeof rules !== 'object' || rules === null))
    throw failure('InvalidInput', '"rules" must be an object');
  const given: FanOutRules = { ...DEFAULT_RULES, ...rules };
  for (const [name, least, most] of BOUNDS) {
    if (Number.isInteger(given[name]) && given[name] >= least && given[name] <= most) continue;
    throw failure('InvalidInput', `"rules.${name}" must be a whole number from ${least} to ${most}`);
  }
  return given;
}
