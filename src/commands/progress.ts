/** A bar on standard error for long captures. Nothing is drawn in the first half second, or where standard error is no terminal. */
export class Progress {
  readonly #enabled: boolean;
  readonly #started = Date.now();
  #drawn = 0;
  #shown = false;

  constructor(enabled: boolean) {
    this.#enabled = enabled && process.stderr.isTTY === true;
  }

  update(read: number, total: number | undefined): void {
    const now = Date.now();
    if (!this.#enabled || now - this.#started < 500 || now - this.#drawn < 100) return;
    this.#drawn = now;
    this.#shown = true;
    const mebibytes = `${(read / 2 ** 20).toFixed(0)} MiB`;
    if (total === undefined || total === 0) {
      process.stderr.write(`\r${mebibytes} read\u001b[K`);
      return;
    }
    const share = Math.min(read / total, 1);
    const bar = '#'.repeat(Math.round(share * 30)).padEnd(30, '.');
    process.stderr.write(`\r[${bar}] ${Math.floor(share * 100)} % of ${(total / 2 ** 20).toFixed(0)} MiB\u001b[K`);
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#shown) process.stderr.write('\r\u001b[K');
    this.#shown = false;
  }
}
