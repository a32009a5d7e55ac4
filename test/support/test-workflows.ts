export { scripted } from './scripted-operation.js';
export * from '../../workflows/index.js';
