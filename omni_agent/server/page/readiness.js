// What the server offers, and waiting for one that is still loading its models, or is away.

import { fetchOffer } from "./api.js";
import { detail } from "./problems.js";

const SOONEST_MS = 1_000;
const LATEST_MS = { starting: 2_000, failed: 10_000, unreachable: 10_000 };
const SLOWER = 1.5;

const SAYS = {
  starting: (progress) => `Getting ready: ${progress || "the server is loading its models"}`,
  failed: (progress) => `The server could not start.${detail(progress)} This page keeps asking.`,
  unreachable: () => "The server does not answer. This page keeps trying.",
};

export class Readiness {
  #timer = null;
  #waitMs = SOONEST_MS;
  #asked = 0;
  ready = false;

  /**
   * @param {{box: HTMLElement, words: HTMLElement,
   *   onAnswer: (ready: boolean, offer: import("./api.js").Offer|null) => void}} parts
   */
  constructor({ box, words, onAnswer }) {
    Object.assign(this, { box, words, onAnswer });
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
    const asked = ++this.#asked;
    const { state, progress, offer } = await fetchOffer().catch(() => ({ state: "unreachable", progress: "", offer: null }));
    if (asked !== this.#asked) return; // asked again meanwhile, perhaps with another token
    this.ready = state === "ready";
    const message = this.ready ? "" : SAYS[state](progress);
    this.box.hidden = this.ready;
    this.box.dataset.state = state;
    if (this.words.textContent !== message) {
      this.words.textContent = message;
      this.#waitMs = SOONEST_MS; // it moves: stay close
    }
    this.onAnswer(this.ready, offer);
    if (this.ready) return;
    this.#waitMs = Math.min(LATEST_MS[state], this.#waitMs);
    this.#timer = setTimeout(() => this.#ask(), this.#waitMs);
    this.#waitMs *= SLOWER;
  }
}
