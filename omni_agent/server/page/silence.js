// How long nothing came, by a clock that stands still while the page could not have listened:
// a browser that was stopped for a while is not a line that was lost.

const MAX_STEP_S = 1;

export class Silence {
  #count = -1;
  #at = 0;
  #quiet = 0;

  /** Seconds since `count` last changed. Call it more often than once a second. @param {number} now seconds */
  seconds(count, now) {
    const step = now - this.#at;
    this.#at = now;
    this.#quiet = count !== this.#count ? 0 : this.#quiet + Math.min(step, MAX_STEP_S);
    this.#count = count;
    return this.#quiet;
  }
}
