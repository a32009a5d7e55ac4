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
