import MailComposer from 'nodemailer/lib/mail-composer';
import { openTemplates, TEMPLATES_DIRECTORY } from '../templates/template.js';

export type MailTemplate = 'send_success' | 'send_expire';
export type Locale = 'ru' | 'en';

/** What the mail templates may tell. Dates are already written out for the reader. */
export interface MailFacts {
  name: string;
  url: string;
  login: string;
  /** absent: the mail says nothing of it */
  password?: string;
  licenseEnd?: string;
  /** whole days until the licence ends; negative once it has */
  daysLeft?: number;
}

export interface MailText {
  subject: string;
  text: string;
  html: string;
}

/** Renders `templates/mail/<template>.<locale>.eta`: the first line is the subject, the rest the text; HTML is made of it. */
export function renderMail({
  template,
  locale,
  facts,
}: {
  template: MailTemplate;
  locale: Locale;
  facts: MailFacts;
}): MailText {
  const rendered = openTemplates(TEMPLATES_DIRECTORY).render(
    `mail/${template}.${locale}.eta`,
    oneLineEach(facts),
  );
  const [subject = '', ...rest] = rendered.split('\n');
  const text = `${rest.join('\n').trim()}\n`;
  return { subject: subject.trim(), text, html: htmlOf(text) };
}

/** A line break in a name would forge a line of the mail, or a header. */
function oneLineEach(facts: MailFacts): MailFacts {
  const entries = Object.entries(facts).map(([key, value]) => [
    key,
    typeof value === 'string' ? oneLine(key, value) : value,
  ]);
  return Object.fromEntries(entries) as MailFacts;
}

function oneLine(key: string, value: string): string {
  // a password goes as it is: changed, it would be another one
  return key === 'password' ? value : value.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ');
}

/** A mail of plain words that no template knows. */
export function textMail({ subject, text }: { subject: string; text: string }): MailText {
  return { subject: oneLine('subject', subject), text, html: htmlOf(text) };
}

function htmlOf(text: string): string {
  const paragraphs = text.trim().split(/\n{2,}/);
  return paragraphs
    .map((paragraph) => `<p>${escapeHtml(paragraph).replaceAll('\n', '<br>\n')}</p>\n`)
    .join('');
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

export interface MessageParts extends MailText {
  from: string;
  to: string;
  /** with its angle brackets */
  messageId: string;
  date: Date;
}

/** The message as it goes over the wire, as text and as HTML. */
export function composeMessage({
  from,
  to,
  messageId,
  date,
  subject,
  text,
  html,
}: MessageParts): Promise<Buffer> {
  const composer = new MailComposer({
    from,
    to,
    messageId,
    date,
    subject,
    text,
    html,
    // a person does not answer a machine's mail, and other machines shall not either (RFC 3834)
    headers: { 'Auto-Submitted': 'auto-generated' },
    // templates are ours and values are text: nothing in a mail is fetched or read from disk
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return composer.compile().build();
}
