export { fannedOut } from './fan-out-operation.js';
export { scripted } from './scripted-operation.js';
export * from '../../workflows/index.js';
