// A polite live region: whole captions and results, never every few letters.

import { el } from "./dom.js";

const KEPT = 6;

export class Announcer {
  enabled = true;

  /** @param {HTMLElement} region aria-live="polite" */
  constructor(region) {
    this.region = region;
  }

  /** @param {string} text @param {string} [lang] BCP 47, when it is not the page's language */
  say(text, lang = "") {
    if (!this.enabled || !text.trim()) return;
    this.region.append(el("p", { lang: lang || null, dir: "auto" }, text));
    while (this.region.childElementCount > KEPT) this.region.firstElementChild.remove();
  }
}
