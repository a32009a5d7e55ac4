/** Runs `work` for 0 … count - 1, at most `lanes` at once, in order of their start. */
export async function inLanes<T>(
  { count, lanes }: { count: number; lanes: number },
  work: (index: number) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const index = next++;
      results[index] = await work(index);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return results;
}
