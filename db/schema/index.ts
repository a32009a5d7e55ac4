export * from './access.js';
export * from './admissions.js';
export * from './archive.js';
export * from './clients.js';
export * from './operations.js';
export * from './releases.js';
export * from './servers.js';
export * from './notices.js';
