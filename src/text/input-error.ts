/** The run cannot go on because of what the user gave. One line for people; the command line prints it and ends with 2. */
export class InputError extends Error {
  override readonly name = 'InputError';
}
