// Waiting for a server that is still fetching or loading its models, or is away.

import { fetchHealth } from "./api.js";
import { detail } from "./problems.js";

const SOONEST_MS = 1_000;
const LATEST_MS = 10_000;
const SLOWER = 1.5;

const SAYS = {
  starting: (progress) => `Getting ready: ${progress || "the server is loading its models"}`,
  failed: (progress) => `The server could not start.${detail(progress)} This page keeps asking.`,
  unreachable: () => "The server does not answer. This page keeps trying.",
};

export class Readiness {
  #timer = null;
  #waitMs = SOONEST_MS;
  ready = false;

  /** @param {{box: HTMLElement, words: HTMLElement, onChange: (ready: boolean) => void}} parts */
  constructor({ box, words, onChange }) {
    Object.assign(this, { box, words, onChange });
    window.addEventListener("online", () => this.#timer && this.watch());
    document.addEventListener("visibilitychange", () => this.#timer && this.watch());
  }

  /** What the page is waiting for, as a sentence. */
  get sentence() {
    return this.words.textContent;
  }

  /** Ask at once, and again until the server is ready. */
  watch() {
    this.#waitMs = SOONEST_MS;
    return this.#ask();
  }

  async #ask() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const { state, progress } = await fetchHealth().catch(() => ({ state: "unreachable", progress: "" }));
    this.ready = state === "ready";
    const message = this.ready ? "" : SAYS[state](progress);
    this.box.hidden = this.ready;
    this.box.dataset.state = state;
    if (this.words.textContent !== message) {
      this.words.textContent = message;
      this.#waitMs = SOONEST_MS; // it moves: stay close
    }
    this.onChange(this.ready);
    clearTimeout(this.#timer); // somebody else asked meanwhile
    this.#timer = this.ready ? null : setTimeout(() => this.#ask(), this.#waitMs);
    this.#waitMs = Math.min(LATEST_MS, this.#waitMs * SLOWER);
  }
}
