import { placeOf, type PlaceRecords } from '../../workflows/contract/operation/places.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';

/** How detached commands are ended and tidied up at places of one kind. */
export interface PlaceKeeper {
  /** removes what those of an operation have left; live ones stay */
  tidy(id: string, operation: string): Promise<void>;
  /** ends those of another operation, and waits until they are gone */
  endJobs(id: string, operation: string, step: StepContext): Promise<void>;
}

/** By kind of place, as wings have them; a kind that has none needs none. */
export type PlaceKeepers = Readonly<Record<string, PlaceKeeper>>;

export type PlaceActivities = ReturnType<typeof createPlaceActivities>;

export function createPlaceActivities(keepers: PlaceKeepers) {
  return {
    async tidyPlaces({ places, operation }: { places: string[]; operation: string }): Promise<void> {
      for (const { kind, id } of places.map(placeOf)) await keepers[kind]?.tidy(id, operation);
    },

    async endJobs(
      { place, operation }: { place: string; operation: string },
      step: StepContext,
    ): Promise<void> {
      const { kind, id } = placeOf(place);
      await keepers[kind]?.endJobs(id, operation, step);
    },
  } satisfies PlaceRecords & Record<string, unknown>;
}
