import { failure } from '../../../workflows/contract/operation/failures.js';
import { LONE_SURROGATE } from '../../templates/template.js';

const NAME = /^[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*$/i;

/** PHP's INI has no escape that works everywhere: quotes, `$`, backslashes and control characters have no safe form. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const REFUSED = /["$\\\u0000-\u001f\u007f]/;

/**
 * Text of a PHP INI file with each setting as `name = "value"`, in order. `InvalidInput` for values that PHP would
 * not read back as given; time zones, sizes and paths all have a form.
 */
export function renderIniFile(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => {
      if (!NAME.test(name))
        throw failure(
          'InvalidInput',
          `${JSON.stringify(name.slice(0, 60))} is not the name of a PHP setting`,
        );
      if (REFUSED.test(value) || LONE_SURROGATE.test(value)) {
        throw failure('InvalidInput', `the value of ${name} cannot be written into a PHP INI file`);
      }
      return `${name} = "${value}"\n`;
    })
    .join('');
}

/** Text of a client's `php/add_vars.ini`. `timezone`: an IANA name such as `Europe/Berlin`, else `InvalidInput`. */
export function renderPhpIni({ timezone }: { timezone: string }): string {
  if (!isTimezone(timezone))
    throw failure('InvalidInput', `${JSON.stringify(timezone.slice(0, 60))} is not a time zone`);
  return renderIniFile({ 'date.timezone': timezone });
}

function isTimezone(name: string): boolean {
  // Intl also takes offsets such as +03:00, which PHP does not
  if (!/^[A-Za-z][\w+/-]{0,63}$/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
