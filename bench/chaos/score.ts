import type { LabHost } from '../../lab/host.js';
import { type Census, census } from '../../test/support/census.js';

/** Lines for a person; empty lists are what is wanted. */
export interface Score {
  /** things on the hosts that belong to no live client */
  orphans: string[];
  /** more than one of what a client has once */
  duplicates: string[];
  /** what a live client should have and has not */
  missing: string[];
}

interface Thing {
  kind: string;
  name: string;
  /** `client12`; null: nobody's that we know */
  owner: string | null;
}

/** What each live client has exactly once. */
const ONCE = ['container', 'network', 'directory', 'vhost', 'database', 'sql user'];

/** What lies on a host that belonged to nobody's client before. */
export async function thingsOn(host: LabHost): Promise<Thing[]> {
  const of = await census(host);
  return [...engineThings(of), ...fileThings(of), ...sqlThings(of)];
}

function engineThings({ containers, networks, volumes }: Census): Thing[] {
  const thing = (kind: string, { name, project }: { name: string; project: string | null }): Thing => ({
    kind,
    name,
    owner: project ?? ownerIn(name),
  });
  return [
    ...containers.map((container) => thing('container', container)),
    ...networks.map((network) => thing('network', network)),
    ...volumes.map((volume) => thing('volume', volume)),
  ];
}

function fileThings({ clientDirectories, jobDirectories, vhostFiles }: Census): Thing[] {
  const all = (kind: string, names: string[], own: (name: string) => string) =>
    names.map(
      (name): Thing => ({ kind, name, owner: name === own(ownerIn(name) ?? '') ? ownerIn(name) : null }),
    );
  return [
    ...all('directory', clientDirectories, (owner) => owner),
    ...all('vhost', vhostFiles, (owner) => `${owner}.conf`),
    // whoever has ended needs none
    ...jobDirectories.map((name): Thing => ({ kind: 'job', name, owner: null })),
  ];
}

function sqlThings({ databases, sqlUsers }: Census): Thing[] {
  return [
    ...databases.map(({ name }): Thing => ({ kind: 'database', name, owner: name })),
    ...sqlUsers.map(({ name }): Thing => ({ kind: 'sql user', name, owner: name.split('@')[0] ?? name })),
  ];
}

function ownerIn(text: string): string | null {
  return /client\d+/.exec(text)?.[0] ?? null;
}

/** Compares in both directions: nothing without a live client, no live client without its things. */
export function score(things: readonly Thing[], live: ReadonlySet<string>, place: string): Score {
  const told = ({ kind, name, owner }: Thing) =>
    `${place}: ${kind} ${name}${owner === null ? '' : ` of ${owner}`}`;
  const counted = [...live].flatMap((owner) =>
    ONCE.map((kind) => ({
      owner,
      kind,
      of: things.filter((thing) => thing.kind === kind && thing.owner === owner),
    })),
  );
  return {
    orphans: things.filter(({ owner }) => owner === null || !live.has(owner)).map(told),
    duplicates: counted.flatMap(({ of }) => of.slice(1)).map(told),
    missing: counted
      .filter(({ of }) => of.length === 0)
      .map(({ owner, kind }) => `${place}: ${kind} of ${owner}`),
  };
}

export function together(scores: readonly Score[]): Score {
  return {
    orphans: scores.flatMap(({ orphans }) => orphans),
    duplicates: scores.flatMap(({ duplicates }) => duplicates),
    missing: scores.flatMap(({ missing }) => missing),
  };
}
