export { type CaughtMail, startMailServer } from '../../lab/mail-server.js';
