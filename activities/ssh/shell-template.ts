/** Where the reader of a template stands: `stack` holds what is open around it, the innermost last. */
interface Place {
  stack: ('double' | 'single' | 'comment' | 'arithmetic' | 'group' | 'backtick' | 'heredoc')[];
  /** terminators of heredocs announced on the current line, then of the one being read */
  heredocs: string[];
  /** the character before this one: a `#` opens a comment only at the start of a word */
  before: string;
}

const HEREDOC = /^<<-?[ \t]*(?:'([^'\n]+)'|"([^"\n]+)"|\\?([A-Za-z_]\w*))/;
const WORD_START = /[\s;&|()]/;

const checked = new WeakMap<TemplateStringsArray, readonly string[]>();

/**
 * The literal texts of a script template, after it was checked that every `${…}` stands where single quotes quote.
 * A wrong place is a bug of the template, whatever the values are: it throws a plain error, at the first use.
 */
export function checkTemplate(template: TemplateStringsArray): readonly string[] {
  const known = checked.get(template);
  if (known) return known;
  const literals = template.raw.map((raw) => raw.replace(/\\(`|\$\{)/g, '$1'));
  const place: Place = { stack: [], heredocs: [], before: '\n' };
  literals.forEach((literal, index) => {
    read(literal, place);
    if (index < literals.length - 1) checkValuePlace(literal, place);
    place.before = 'x';
  });
  checkEnd(place);
  checked.set(template, literals);
  return literals;
}

function checkValuePlace(literal: string, place: Place): void {
  const inside = place.stack.at(-1);
  if (inside !== undefined && inside !== 'group') throw templateError(inside, literal);
  // "$" before a quoted value would make it bash's $'…', where backslashes escape
  if (literal.endsWith('$')) throw templateError('dollar', literal);
  if (place.heredocs.length > 0) throw templateError('heredoc', literal);
}

function checkEnd(place: Place): void {
  const open = place.stack.find((item) => item !== 'group' && item !== 'comment');
  if (open !== undefined)
    throw new Error(`a script ends inside ${open}: it could not be followed by another`);
}

function templateError(inside: string, literal: string): Error {
  return new Error(
    `a value stands inside ${inside} after ${JSON.stringify(literal.slice(-40))}: put it outside`,
  );
}

function read(literal: string, place: Place): void {
  let at = 0;
  while (at < literal.length) {
    const length = readOne(literal.slice(at), place);
    at += length;
    place.before = literal[at - 1] ?? '\n';
  }
}

/** Reads what begins `rest` and returns how many characters it took. */
function readOne(rest: string, place: Place): number {
  const inside = place.stack.at(-1);
  if (inside === 'heredoc') return readHeredoc(rest, place);
  if (inside === 'comment') return readUntil(rest, '\n', place);
  if (inside === 'single') return readUntil(rest, "'", place);
  if (rest.startsWith('\\')) return 2;
  if (rest.startsWith('$((')) return open(place, 'arithmetic', 3);
  if (rest.startsWith('$(')) return open(place, 'group', 2);
  if (rest.startsWith('`')) return inside === 'backtick' ? close(place, 1) : open(place, 'backtick', 1);
  if (inside === 'double') return rest.startsWith('"') ? close(place, 1) : 1;
  if (inside === 'arithmetic') return rest.startsWith('))') ? close(place, 2) : 1;
  return readPlain(rest, place);
}

function readPlain(rest: string, place: Place): number {
  if (rest.startsWith("'")) return open(place, 'single', 1);
  if (rest.startsWith('"')) return open(place, 'double', 1);
  if (rest.startsWith('#') && WORD_START.test(place.before)) return open(place, 'comment', 1);
  if (rest.startsWith('((') && WORD_START.test(place.before)) return open(place, 'arithmetic', 2);
  if (rest.startsWith('(')) return open(place, 'group', 1);
  // a ")" without a "(" is the end of a pattern of `case`
  if (rest.startsWith(')')) return place.stack.at(-1) === 'group' ? close(place, 1) : 1;
  if (rest.startsWith('<<<')) return 3;
  const heredoc = HEREDOC.exec(rest);
  if (heredoc) {
    place.heredocs.push(heredoc[1] ?? heredoc[2] ?? heredoc[3] ?? '');
    return heredoc[0].length;
  }
  if (rest.startsWith('\n') && place.heredocs.length > 0) return open(place, 'heredoc', 1);
  return 1;
}

function readUntil(rest: string, end: string, place: Place): number {
  const at = rest.indexOf(end);
  if (at < 0) return rest.length;
  place.stack.pop();
  // the newline that ends a comment is read again: it may open a heredoc
  return end === '\n' ? Math.max(at, 0) : at + 1;
}

function readHeredoc(rest: string, place: Place): number {
  const end = rest.indexOf('\n');
  const line = end < 0 ? rest : rest.slice(0, end);
  if (line.replace(/^\t+/, '') === place.heredocs[0]) {
    place.heredocs.shift();
    if (place.heredocs.length === 0) place.stack.pop();
  }
  return end < 0 ? rest.length : end + 1;
}

function open(place: Place, item: Place['stack'][number], length: number): number {
  place.stack.push(item);
  return length;
}

function close(place: Place, length: number): number {
  place.stack.pop();
  return length;
}
