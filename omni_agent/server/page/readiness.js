// Waiting for a server that is still fetching or loading its models.

import { fetchHealth } from "./api.js";

const EVERY_MS = 1_000;

export class Readiness {
  #timer = null;
  ready = false;

  /** @param {{box: HTMLElement, words: HTMLElement, onChange: (ready: boolean) => void}} parts */
  constructor({ box, words, onChange }) {
    Object.assign(this, { box, words, onChange });
  }

  /** Ask until the server is ready, then stop. */
  async watch() {
    clearTimeout(this.#timer);
    let state = "starting";
    let message;
    try {
      const health = await fetchHealth();
      this.ready = health.ready;
      if (health.failed) state = "failed";
      message = health.failed
        ? `The server could not start: ${health.progress || "its terminal says why"}`
        : `Getting ready: ${health.progress || "the server is loading its models"}`;
    } catch {
      this.ready = false;
      state = "unreachable";
      message = "The server does not answer. Start it with ./scripts/serve; this page is waiting for it.";
    }
    this.box.hidden = this.ready;
    this.box.dataset.state = state;
    if (this.words.textContent !== message) this.words.textContent = this.ready ? "" : message;
    this.onChange(this.ready);
    if (!this.ready) this.#timer = setTimeout(() => this.watch(), EVERY_MS);
  }
}
