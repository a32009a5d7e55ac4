import assert from 'node:assert/strict';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describeApi } from '../../api/http/openapi.js';
import type { Router } from '../../api/http/router.js';

interface Schema {
  $ref?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: unknown;
  anyOf?: Schema[];
  type?: string | string[];
  description?: string;
}

type Document = ReturnType<typeof describeApi>;

const escape = (text: string) => text.replaceAll('~', '~0').replaceAll('/', '~1');

/** Holds every answer against the document: its status is declared, its body valid, none of its fields undocumented. */
export function createContract(router: Router) {
  const document = JSON.parse(JSON.stringify(describeApi(router))) as Document & { components: unknown };
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
  ajv.addSchema({ $id: 'api', ...document });

  const resolve = (schema: Schema): Schema => {
    if (schema.$ref === undefined) return schema;
    const path = schema.$ref.split('/').slice(1);
    return resolve(
      path.reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], document) as Schema,
    );
  };

  const requireDocumented = (given: Schema, value: unknown, at: string): void => {
    const schema = resolve(given);
    if (schema.anyOf !== undefined || typeof value !== 'object' || value === null) return;
    if (Array.isArray(value)) {
      for (const [index, entry] of value.entries())
        if (schema.items) requireDocumented(schema.items, entry, `${at}[${index}]`);
      return;
    }
    if (schema.properties === undefined) return;
    for (const [key, field] of Object.entries(value)) {
      const described = schema.properties[key];
      assert.ok(described, `${at}.${key} is not documented`);
      requireDocumented(described, field, `${at}.${key}`);
    }
  };

  const validate = (pointer: string, schema: Schema, body: unknown, at: string) => {
    const check = ajv.getSchema(`api#${pointer}`) ?? ajv.compile({ $ref: `api#${pointer}` });
    assert.ok(check(body), `${at}: ${ajv.errorsText(check.errors)}\n${JSON.stringify(body)}`);
    requireDocumented(schema, body, at);
  };

  return {
    document,
    async check(method: string, response: Response, path: string): Promise<void> {
      const type = response.headers.get('content-type')?.split(';')[0] ?? '';
      if (!type.endsWith('json') || method === 'HEAD') return;
      const body: unknown = await response.clone().json();
      const route = router.at(path).find((declared) => declared.method === method);
      const at = `${method} ${path} ${response.status}`;
      if (route === undefined || response.status === 405) {
        validate('/components/schemas/Problem', { $ref: '#/components/schemas/Problem' }, body, at);
        return;
      }
      const answers = document.paths?.[route.path]?.[method.toLowerCase() as 'get']?.responses ?? {};
      const content = (answers as Record<string, { content?: Record<string, { schema: Schema }> }>)[
        response.status
      ]?.content;
      const schema = content?.[type]?.schema;
      assert.ok(schema, `${at} as ${type} is not documented`);
      const inside = [
        'paths',
        route.path,
        method.toLowerCase(),
        'responses',
        String(response.status),
        'content',
        type,
        'schema',
      ];
      validate(`/${inside.map((part) => encodeURIComponent(escape(part))).join('/')}`, schema, body, at);
    },
  };
}
