import { randomBytes } from 'node:crypto';

/** Made by whoever runs a value as a command. */
export const TRAP = `slipway-trap-${randomBytes(6).toString('hex')}`;

/** Values that mean something to a shell, SQL, nginx, YAML, `.env`, a template or a terminal; all one line of text. */
export const HOSTILE_LINES: Record<string, string> = {
  quotes: `a'b"c\`d\\e'' "" \\" \\'`,
  substitution: `$(touch /tmp/${TRAP}) \${APP_KEY} $HOME $$`,
  backticks: `\`touch /tmp/${TRAP}\``,
  chain: `; touch /tmp/${TRAP} & | > /tmp/${TRAP} #`,
  path: `../../../../tmp/${TRAP}`,
  option: `--entrypoint=touch /tmp/${TRAP}`,
  sql: `'; DROP TABLE users; DROP TABLE cloud_settings; --`,
  'sql in double quotes': `"; DROP DATABASE mysql; /*`,
  'right to left': 'שלום \u202Eevil\u202C مرحبا',
  emoji: '🧪👩‍🔬 ünïcödé 𝕊',
  braces: '{{7*7}} {{.Names}} #{7*7}',
  template: `<%= process.exit(1) %><% throw 1 %>`,
  percent: '%n %s %d %00 %0a',
  html: '<script>alert(1)</script>&amp;',
  yaml: 'x: !!js/function >- | [a, b] # c',
  separators: 'a\u2028b\u2029c\u00a0d\ufeffe',
};

/** Values that are no one line of text. */
export const HOSTILE_TEXTS: Record<string, string> = {
  newlines: `a\nAPP_KEY=stolen\r\nb\n`,
  NUL: 'a\0b',
  escapes: 'a\u001b[31mb\u0007\u0008',
  'a megabyte': 'x'.repeat(1024 * 1024),
  'half a character': 'a\ud800b',
  'a byte too many for any column': `${'ü'.repeat(32_767)}ab`,
};
