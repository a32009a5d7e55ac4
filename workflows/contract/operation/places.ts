/** What is kept in order at the places of operations; which places there are, wings say. */
export interface PlaceRecords {
  /** Removes what detached commands of an operation have left there; those that still run stay. */
  tidyPlaces(input: { places: string[]; operation: string }): Promise<void>;
}

/** `server:3` → `server`, `3`; a place without an id, such as `gitea`, is its own kind. */
export function placeOf(place: string): { kind: string; id: string } {
  const [kind = '', ...rest] = place.split(':');
  return { kind, id: rest.join(':') };
}
