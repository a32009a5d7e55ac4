export interface Variant<Sample> {
  name: string;
  /** once, from the first command to the proven end; answers what it measured */
  run(): Promise<Sample>;
}

export interface Interleave<Sample> {
  variants: readonly Variant<Sample>[];
  repeats: number;
  onSample(variant: string, round: number, sample: Sample): void;
}

/**
 * ABBA: each round runs every variant once, every other one backwards, so that a machine that warms up or gets busy
 * favours nobody.
 */
export async function interleave<Sample>({ variants, repeats, onSample }: Interleave<Sample>): Promise<void> {
  for (let round = 0; round < repeats; round += 1) {
    const order = round % 2 === 0 ? variants : variants.toReversed();
    for (const { name, run } of order) onSample(name, round, await run());
  }
}
