import { Eta } from 'eta';
import { failure } from '../../workflows/contract/operation/failures.js';

/** Half of a character: it has no UTF-8 form, and so no place in any file. */
export const LONE_SURROGATE = /\p{Surrogate}/u;

/** One shell word, whatever the value is; NUL fits no argument. */
export function shellWord(value: string): string {
  if (value.includes('\0'))
    throw failure('InvalidInput', 'a value with a NUL character cannot be a shell word');
  return `'${value.replaceAll("'", String.raw`'\''`)}'`;
}

/** One double-quoted YAML scalar that YAML 1.1 and 1.2 readers read back identically. */
export function yamlScalar(value: string): string {
  if (LONE_SURROGATE.test(value)) {
    throw failure('InvalidInput', 'a value that is not well-formed Unicode has no place in YAML');
  }
  return escapeUnprintable(JSON.stringify(value));
}

/**
 * Escapes, within the double-quoted scalars of a YAML text, what JSON leaves as it is and YAML readers refuse (PyYAML:
 * DEL, C1 controls) or take for a line break (U+2028). Nothing else in the text may hold such characters.
 */
export function escapeUnprintable(yaml: string): string {
  return yaml.replace(YAML_UNPRINTABLE, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

const YAML_UNPRINTABLE = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g;

/** nginx reads its files through a buffer of 4 KiB that a word has to fit into with room to spare. */
const NGINX_WORD_BYTES = 2048;

/**
 * One double-quoted nginx parameter. nginx has no escape for `$`, where it begins a variable, so that a value with
 * one is `InvalidInput`, as is a control character and a word of more than 2 KiB.
 */
export function nginxWord(value: string): string {
  if (NGINX_REFUSED.test(value) || LONE_SURROGATE.test(value)) {
    throw failure('InvalidInput', 'a value with "$" or a control character has no place in an nginx file');
  }
  const word = `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
  if (Buffer.byteLength(word) > NGINX_WORD_BYTES) {
    throw failure('InvalidInput', `a value in an nginx file is limited to ${NGINX_WORD_BYTES} bytes`);
  }
  return word;
}

// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const NGINX_REFUSED = /[$\u0000-\u001f\u007f]/;

const FILTERS = { sh: shellWord, yaml: yamlScalar, nginx: nginxWord };

export interface Templates {
  /** `name`: path under the directory, with its ending; data is `it` in the template, filters are `sh`, `yaml`, `nginx` */
  render(name: string, data: object): string;
}

/** Templates of a directory. Nothing is escaped by itself: a template names the filter of its grammar at each value. */
export function openTemplates(directory: URL): Templates {
  const eta = new Eta({
    views: directory.pathname,
    autoEscape: false,
    cache: true,
    functionHeader: 'const { sh, yaml, nginx } = it.filters;',
  });
  return { render: (name, data) => eta.render(name, { ...data, filters: FILTERS }) };
}

export const TEMPLATES_DIRECTORY = new URL('../../templates/', import.meta.url);
