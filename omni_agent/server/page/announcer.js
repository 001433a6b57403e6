// A polite live region: whole captions and results, never every few letters.

import { el } from "./dom.js";

const KEPT = 6;

export class Announcer {
  enabled = true;

  /** @param {HTMLElement} region aria-live="polite" */
  constructor(region) {
    this.region = region;
  }

  say(text) {
    if (!this.enabled || !text.trim()) return;
    this.region.append(el("p", {}, text));
    while (this.region.childElementCount > KEPT) this.region.firstElementChild.remove();
  }
}
