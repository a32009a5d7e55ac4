export interface SshSettings {
  connectTimeoutMs: number;
  keepaliveIntervalMs: number;
  keepaliveUnanswered: number;
  channels: number;
  followers: number;
  endings: number;
  parallelConnects: number;
  connectAttempts: number;
  idleMs: number;
  laneWaitMs: number;
  lockWaitMs: number;
  runTimeoutMs: number;
  endGraceMs: number;
  endTimeoutMs: number;
  reconnects: number;
  stallMs: number;
}

/** One place for every limit of the layer; tests shorten some of them. */
export const SSH_SETTINGS: SshSettings = {
  // a handshake takes 50 ms nearby and 2 s on a loaded host far away
  connectTimeoutMs: 10_000,
  // ssh2 gives up at the first interval after the last unanswered one: 3 × 9 s is below the 30 s of the fault matrix
  keepaliveIntervalMs: 9_000,
  keepaliveUnanswered: 2,
  // sshd allows 10 sessions and frees one late: at 8 busy ones some execs were refused
  channels: 6,
  // followers of jobs stay for minutes: two channels are always left for short commands
  followers: 4,
  // for what ends given-up commands: sshd keeps their sessions until they are gone; 6 + 2 is below its 10
  endings: 2,
  // sshd begins to drop unauthenticated connections at 10 (MaxStartups 10:30:100), and others connect too
  parallelConnects: 4,
  // a drop by MaxStartups is a matter of luck; three tries get past it, the step's own retry does the rest
  connectAttempts: 3,
  // long enough to span the pauses of one operation, short enough not to hold sessions on idle hosts
  idleMs: 180_000,
  // a queue behind five others, each with its default timeout, is served within this
  laneWaitMs: 150_000,
  // less than `runTimeoutMs`, so that a busy fence is reported as such and not as a hung host
  lockWaitMs: 20_000,
  // short commands take milliseconds; whatever may take longer is a job
  runTimeoutMs: 30_000,
  // Docker stops a container for 10 s before it kills it
  endGraceMs: 10_000,
  // grace, the caller's own ending and a process that may not be signalled
  endTimeoutMs: 120_000,
  // a follower reconnects within its attempt: each try waits longer, 3 s altogether, then the step's retry re-attaches
  reconnects: 4,
  // a large image is packed for about a minute before its first byte; a line that is silent for longer is dead
  stallMs: 180_000,
};
