export { createClient } from './clients/create-client.js';
export { deleteClient } from './clients/delete-client.js';
export { setAdminPassword } from './clients/set-admin-password.js';
export { cleanup } from './fleet/cleanup.js';
export { lend } from './operation/lend.js';
export { probe } from './servers/probe.js';
export { sweepNightly } from './schedules/sweep-nightly.js';
export { sweepOperations } from './schedules/sweep-operations.js';
