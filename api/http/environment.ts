import type { Context, MiddlewareHandler } from 'hono';
import type { Logger } from 'pino';
import type { Scope } from './auth/scopes.js';
import type { DeclaredRoute } from './endpoint.js';

export interface Environment {
  Variables: {
    requestId: string;
    log: Logger;
    /** declared for the path, whatever the method */
    routes: DeclaredRoute[];
    /** address of the caller, seen through trusted proxies */
    address: string;
    /** who calls, such as `admin:root` or `key:01K4…`; empty on open routes */
    actor: string;
    /** what the caller may */
    scope: Scope;
    /** declared path, such as `/clients/{id}`: what metrics and the audit log name */
    route: string;
  };
  /** the node server's; absent when the app is called in process */
  Bindings: { incoming?: { socket?: { remoteAddress?: string } } };
}

export type Ctx = Context<Environment>;
export type Middleware = MiddlewareHandler<Environment>;
