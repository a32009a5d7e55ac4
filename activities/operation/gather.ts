type Gathered<Parts extends readonly object[]> = Parts extends readonly [
  infer First extends object,
  ...infer Rest extends readonly object[],
]
  ? First & Gathered<Rest>
  : unknown;

/** The first name that two parts have; never where all of them differ. */
type Doubled<Parts extends readonly object[]> = Parts extends readonly [
  infer First extends object,
  ...infer Rest extends readonly object[],
]
  ? (keyof First & keyof Gathered<Rest>) | Doubled<Rest>
  : never;

/** The activities of a wing out of those of its parts. A name that is given twice does not compile. */
export function gather<const Parts extends readonly object[]>(
  ...parts: Doubled<Parts> extends never ? Parts : { twice: Doubled<Parts> }[]
): Gathered<Parts> {
  return Object.assign({}, ...parts) as Gathered<Parts>;
}
