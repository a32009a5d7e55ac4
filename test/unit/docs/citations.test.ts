import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const OWN = 'test/unit/docs/citations.test.ts';
const SKIPPED = ['node_modules', '.slipway', '.git'];
/** What the docs write in place of a name. */
const PLACEHOLDER = /[<>*…{}]/;
/** Kept by no repository: made by a run, or of a server or an image. */
const ELSEWHERE = /^(\.slipway|secrets|DATA_DIR|temporalio|docker|php)\//;
/** Words of the API with a stroke between them. */
const NO_PATH = /^(admin_f\/i\/o\/login|page\/per_page)$/;

/** Pages that code cites, and what stands behind each: `docs/x.md`, Heading. */
const CITATION = /`?(docs\/[\w/-]+\.md)`?(?:, ([A-Z].{0,80}))?/g;
const FORMER = /\b(spec|design)\/[a-z]/;

describe('citations', () => {
  it('name a page and a heading that exist', () => {
    assert.deepEqual(
      filesOf('.ts').flatMap((file) => citationFaults(file, read(file))),
      [],
    );
  });

  it('would notice another page, another heading, one on the next line, and a page outside', () => {
    const faults = (text: string) => citationFaults('x.ts', text).length;
    assert.equal(faults('/** `docs/contract/clients.md`, Reading: why. */'), 0);
    assert.equal(
      faults('/**\n * (`docs/contract/operations.md`, Identity and mutual\n * exclusion).\n */'),
      0,
    );
    assert.equal(faults('/** `docs/contract/operations.md`, Steps 3 */'), 0);
    assert.equal(faults('/** `docs/contract/nothing.md`. */'), 1);
    assert.equal(faults('/** `docs/contract/clients.md`, Nothing of it. */'), 1);
    assert.equal(faults('/**\n * `docs/contract/operations.md`, Identity and\n * more.\n */'), 1);
    assert.equal(faults('/** spec/operations.md */'), 1);
  });
});

describe('the pages', () => {
  it('name paths that exist', () => {
    assert.deepEqual(
      filesOf('.md').flatMap((file) => pathFaults(file, read(file))),
      [],
    );
  });

  it('would notice a path and a link that do not exist', () => {
    assert.equal(pathFaults('docs/x.md', 'see `activities/nothing/x.ts`').length, 1);
    assert.equal(pathFaults('docs/x.md', 'see `activities/ssh/` and `api/<wing>/x.ts`').length, 0);
    assert.equal(pathFaults('docs/x.md', '[a](install.md) [b](https://example.test/x.md)').length, 0);
    assert.equal(pathFaults('docs/x.md', '[a](nothing.md)').length, 1);
    assert.equal(pathFaults('docs/x.md', '[a](install.md#by-hand) [b](install.md#nothing)').length, 1);
  });
});

function citationFaults(file: string, text: string): string[] {
  // a comment's sentence goes on behind the star of its next line
  const sentences = text.replaceAll(/\s*\n\s*(?:\*(?!\/)|\/\/)\s*/g, ' ');
  const faults = [...sentences.matchAll(CITATION)].flatMap(([, page = '', behind]) => {
    if (!existsSync(posix.join(ROOT, page))) return [`${file} cites ${page}`];
    if (behind === undefined || headingsOf(page).some((heading) => startsWithWords(behind, heading)))
      return [];
    return [`${file} cites ${page}, ${behind}`];
  });
  return FORMER.test(text) ? [...faults, `${file} cites a page that is not in the repository`] : faults;
}

function pathFaults(file: string, text: string): string[] {
  const paths = [...text.matchAll(/`([^`\s]+)`/g)]
    .map(([, path = '']) => path)
    .filter((path) => /^[\w.-]+(\/[^/]+)+\/?$/.test(path) && /^[\w./<>*…{},-]+$/.test(path))
    .filter((path) => !PLACEHOLDER.test(path) && !ELSEWHERE.test(path) && !NO_PATH.test(path))
    .filter((path) => !existsSync(posix.join(ROOT, path)));
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => link)
    .filter((link) => !/^https?:/.test(link) && !leads(file, link));
  return [...paths, ...links].map((path) => `${file} names ${path}`);
}

function leads(file: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const page = path === '' ? file : posix.join(posix.dirname(file), path);
  if (!existsSync(posix.join(ROOT, page))) return false;
  return anchor === undefined || headingsOf(page).some((heading) => anchorOf(heading) === anchor);
}

function headingsOf(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
}

function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, '')
    .replaceAll(/\s/g, '-');
}

/** Whole words of it. */
function startsWithWords(text: string, heading: string): boolean {
  return text.startsWith(heading) && !/^\w/.test(text.slice(heading.length));
}

function filesOf(ending: string): string[] {
  const entries = readdirSync(ROOT, { withFileTypes: true }).filter(({ name }) => !SKIPPED.includes(name));
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  const below = folders.flatMap((folder) =>
    readdirSync(posix.join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
      posix.join(folder, name),
    ),
  );
  // its own examples are wrong on purpose
  return [...files, ...below].filter((file) => file.endsWith(ending) && file !== OWN);
}

function read(file: string): string {
  return readFileSync(posix.join(ROOT, file), 'utf8');
}
