export { scripted } from './scripted-operation.js';
