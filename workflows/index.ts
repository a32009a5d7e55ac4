export { createClient } from './clients/create-client.js';
export { deleteClient } from './clients/delete-client.js';
export { setAdminPassword } from './clients/set-admin-password.js';
export { probe } from './servers/probe.js';
