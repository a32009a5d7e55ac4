export * from './access.js';
export * from './clients.js';
export * from './operations.js';
export * from './servers.js';
