import type { z } from '@hono/zod-openapi';

interface Described {
  description: string;
  headers?: z.ZodObject;
}

export interface JsonResponse<Schema extends z.ZodType = z.ZodType> extends Described {
  content: { 'application/json': { schema: Schema } };
}

/** Of other media: a stream, a page, a file; `application/json` may be among them. */
export interface MediaResponse extends Described {
  content: Record<string, { schema: z.ZodType }>;
}

export interface EmptyResponse extends Described {
  content?: undefined;
}

/** What an endpoint may answer when it does as asked, by status. */
export type Responses = Record<number, JsonResponse | MediaResponse | EmptyResponse>;

/** What a handler returns of one status; the router makes the HTTP answer of it. */
type AnswerWith<Status, Declared> = Declared extends { content: infer Content }
  ? JsonAnswer<Status, Declared> | MediaAnswer<Exclude<keyof Content, 'application/json'>>
  : { status: Status; headers?: Record<string, string> };

type MediaAnswer<Media> = [Media] extends [never] ? never : { response: Response };

type JsonAnswer<Status, Declared> = Declared extends {
  content: { 'application/json': { schema: infer Schema extends z.ZodType } };
}
  ? { status: Status; body: z.input<Schema>; headers?: Record<string, string> }
  : never;

export type AnswerOf<Declared extends Responses> = {
  [Status in keyof Declared]: AnswerWith<NumberOf<Status>, Declared[Status]>;
}[keyof Declared];

/** Where responses are put together by spreading, their statuses become texts. */
type NumberOf<Status> = Status extends `${infer Digits extends number}` ? Digits : Status;

export type AnyAnswer =
  | { response: Response }
  | { status: PropertyKey; headers?: Record<string, string> }
  | { status: PropertyKey; body: unknown; headers?: Record<string, string> };

/**
 * Nothing where all fields are documented, else a property that no endpoint has, so that the compiler names the fields;
 * by itself it minds only missing ones.
 */
export type Undocumented<Answer, Declared> = [Excess<BodyOf<Answer>, BodyOf<Declared>>] extends [never]
  ? unknown
  : { undocumented: Excess<BodyOf<Answer>, BodyOf<Declared>> };

type BodyOf<Answer> = Answer extends { body: infer Body } ? Body : never;

/** Names of the fields, at any depth, that no alternative of `Declared` has. */
type Excess<Actual, Declared> = unknown extends Declared
  ? never
  : Actual extends readonly (infer Entry)[]
    ? Excess<Entry, Declared extends readonly (infer Known)[] ? Known : never>
    : Actual extends object
      ? { [Key in keyof Actual]-?: ExcessAt<Key, Actual[Key], Declared> }[keyof Actual]
      : never;

type ExcessAt<Key, Value, Declared> = Key extends KeyOfAny<Declared> ? Excess<Value, At<Declared, Key>> : Key;

type KeyOfAny<Union> = Union extends object ? keyof Union : never;
type At<Union, Key> = Union extends object ? (Key extends keyof Union ? Union[Key] : never) : never;

/** A documented JSON answer. */
export function json<Schema extends z.ZodType>(
  description: string,
  schema: Schema,
  headers?: z.ZodObject,
): JsonResponse<Schema> {
  return {
    description,
    content: { 'application/json': { schema } },
    ...(headers === undefined ? {} : { headers }),
  };
}

/** A documented answer of other media, which its handler makes itself. */
export function media<Content extends Record<string, { schema: z.ZodType }>>(
  description: string,
  content: Content,
) {
  return { description, content };
}
