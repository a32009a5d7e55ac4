import { CLIENT_ATTRIBUTES } from './clients/search-attributes.js';
import { ENGINE_ATTRIBUTES } from './operation/search-attributes.js';
import { SERVER_ATTRIBUTES } from './servers/search-attributes.js';

/** Those of all wings: what a namespace must know. */
export const SEARCH_ATTRIBUTES = { ...ENGINE_ATTRIBUTES, ...CLIENT_ATTRIBUTES, ...SERVER_ATTRIBUTES };
