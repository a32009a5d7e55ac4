/** What a client is for; the API's `kind` of a client. Not to be taken for the kinds of operations. */
export const KINDS_OF_CLIENT = ['client', 'demo', 'test'] as const;
export type KindOfClient = (typeof KINDS_OF_CLIENT)[number];

/** What became of a client's own certificate. */
export const CERTIFICATE_STATES = ['issued', 'failed'] as const;
export type CertificateState = (typeof CERTIFICATE_STATES)[number];
