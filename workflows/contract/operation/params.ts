import { failure } from './failures.js';

/** Row ids are positive integers; anything else was typed by hand. */
export function requireId(field: string, value: unknown): void {
  if (Number.isInteger(value) && (value as number) > 0) return;
  throw failure('InvalidInput', `"${field}" must be the id of a row`);
}

export function requireFlag(field: string, value: unknown): void {
  if (typeof value === 'boolean') return;
  throw failure('InvalidInput', `"${field}" must be true or false`);
}
