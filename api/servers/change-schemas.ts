import { z } from '@hono/zod-openapi';
import {
  AUTO_VERSION,
  branchOf,
  type BuildBranch,
  VERSION,
} from '../../workflows/contract/clients/versions.js';
import { flag, freeText, optional, pattern, rowId } from '../http/fields.js';
import { StartQuery } from '../http/pages.js';

export const ServerParams = z.object({
  server_id: rowId().openapi({
    param: { name: 'server_id', in: 'path' },
    description: 'Id of the server',
    example: 3,
  }),
});

/** What is no version is 422 with its field, so that the path itself takes any text. */
export const BuildParams = ServerParams.extend({
  new_version: z.string().openapi({
    param: { name: 'new_version', in: 'path' },
    description:
      'Version, such as `1.4`; the suffix of the branch is appended when it is missing. `auto`: the next minor of the newest one on the server',
    example: '1.4',
  }),
});

const force = () =>
  optional(flag()).openapi({
    description: '`true`: a version that is there is built anew',
    example: false,
  });

export const BuildQuery = StartQuery.extend({ force: force() });

const WHAT_VERSION = 'must be a version in small letters such as 1.4 or 1.4.1-rc1';

/** The version that a build of the branch makes: with its suffix, never with that of the other branch. */
export function buildVersion(branch: BuildBranch) {
  return z.object({
    new_version: pattern(VERSION, 100, WHAT_VERSION)
      .or(z.literal(AUTO_VERSION, WHAT_VERSION))
      .refine(
        (version) => [undefined, branch].includes(branchOf(version)),
        `must not end with another branch`,
      )
      .transform((version) =>
        version === AUTO_VERSION || branchOf(version) === branch ? version : `${version}-${branch}`,
      )
      .refine((version) => version === AUTO_VERSION || VERSION.test(version), WHAT_VERSION),
  });
}

/** A page of news; larger ones are refused before they fill the clients' databases. */
const INFO_MAX = 50_000;

export const BuildForAllInput = z
  .object({
    version: pattern(VERSION, 100, 'must be a version such as 1.3-master')
      .refine((version) => branchOf(version) === 'master', 'must end with -master')
      .openapi({ description: 'Version with its suffix', example: '1.3-master' }),
    // forms send every line end as two characters
    info: optional(freeText(INFO_MAX).transform((text) => text.replaceAll('\r\n', '\n'))).openapi({
      type: 'string',
      description: 'What is new in it, markdown; shown by the clients',
      example: '## 1.3\n\nReports can be printed.',
    }),
    force: force(),
  })
  .openapi('BuildForAllInput');
