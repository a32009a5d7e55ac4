/** Every step of `create_client`; the saga table compares them with what an undisturbed run did. */
export const CREATE_CLIENT_STEPS_BEFORE_COMMIT = [
  'reserve',
  'check-host',
  'check-database',
  'database',
  'files',
  'container',
  'migrate',
  'base-data',
  'settings',
  'vhost',
  'outside-check',
];

export const CREATE_CLIENT_STEPS = [...CREATE_CLIENT_STEPS_BEFORE_COMMIT, 'activate', 'mail'];

/** Steps where the other SQL engine and the other Compose go ways of their own; the rest is the same code on both hosts. */
export const STEPS_OF_OTHER_WAYS = [
  'check-database',
  'database',
  'container',
  'migrate',
  'base-data',
  'settings',
];
