export * from '../support/test-workflows.js';
export * from './changed-workflows.js';
