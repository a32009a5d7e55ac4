import { z } from '@hono/zod-openapi';
import { CANARY_MAX, DEFAULT_RULES, WINDOW_MAX } from '../../workflows/contract/servers/fleet.js';
import type { FanOutRules } from '../../workflows/contract/operation/fan-out.js';
import { splitImage } from '../../workflows/contract/clients/versions.js';
import { flag, optional, pattern, wholeNumber } from '../http/fields.js';
import { IdParams } from '../http/pages.js';
import { rehearse } from '../clients/rehearsal.js';

const rules = {
  window: optional(wholeNumber({ min: 1, max: WINDOW_MAX })).openapi({
    description: `Clients of one server at the same time, ${DEFAULT_RULES.window} by default`,
    example: DEFAULT_RULES.window,
  }),
  canary: optional(wholeNumber({ min: 0, max: CANARY_MAX })).openapi({
    description: `So many must succeed before any other starts, ${DEFAULT_RULES.canary} by default`,
    example: DEFAULT_RULES.canary,
  }),
  stop_after_failures: optional(wholeNumber({ min: 0, max: 100 })).openapi({
    description: `Percent of all; with more failures, and at least two, nothing more is started. ${DEFAULT_RULES.stopAfterFailures} by default`,
    example: DEFAULT_RULES.stopAfterFailures,
  }),
};

const force = {
  force: optional(flag()).openapi({
    description: '`true`: to a lower version too; no migration runs then',
    example: false,
  }),
};

/** Taken in the query and, of a POST, as form fields too. */
export const FanOutFields = z.object(rules);
export const FanOutInput = z.object(rules).openapi('FanOutInput');
const rehearsed = { ...rules, rehearse: rehearse() };
export const MigrateAllFields = z.object(rehearsed);
export const MigrateAllInput = z.object(rehearsed).openapi('MigrateAllInput');
export const SwitchAllFields = z.object({ ...rehearsed, ...force });
export const SwitchAllInput = z.object({ ...rehearsed, ...force }).openapi('SwitchAllInput');

const IMAGE_NAME = /^(?:[a-z0-9]+(?:[._/-][a-z0-9]+)*:)?[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

export const SwitchAllParams = IdParams.extend({
  image_name: pattern(IMAGE_NAME, 330, 'must be a version tag, or image:tag').openapi({
    param: { name: 'image_name', in: 'path' },
    description: "Version tag of the product's image, or `<image>:<tag>` of it, URL-encoded",
    example: '1.4-master',
  }),
});

/** What was given in the body stands before what was given in the query. */
export function rulesFrom(...given: (Partial<z.output<typeof FanOutFields>> | undefined)[]): FanOutRules {
  const of = (name: keyof z.output<typeof FanOutFields>) =>
    given.map((fields) => fields?.[name]).find((value) => value !== undefined);
  return {
    window: of('window') ?? DEFAULT_RULES.window,
    canary: of('canary') ?? DEFAULT_RULES.canary,
    stopAfterFailures: of('stop_after_failures') ?? DEFAULT_RULES.stopAfterFailures,
  };
}

/** `<image>:<tag>` or `<tag>`. */
export function imageNameOf(given: string): { versionTag: string; image?: string } {
  const [first, tag] = splitImage(given);
  return tag === '' ? { versionTag: first } : { versionTag: tag, image: first };
}
