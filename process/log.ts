/** Takes one line for a person. */
export type Log = (line: string) => void;
