// The list that captions, tool cards and notes join, kept scrolled to the newest entry
// for as long as the reader is there.

import { el } from "./dom.js";

const NEAR_END_PX = 80;

export class Timeline {
  #following = true;
  #at = 0;
  #height = 0;
  #told = []; // what joined, in order: {entry, at, tell}

  /** @param {{list: HTMLElement, scroll: HTMLElement, latest: HTMLButtonElement, blank: HTMLElement}} parts */
  constructor({ list, scroll, latest, blank }) {
    Object.assign(this, { list, scroll, latest, blank });
    scroll.addEventListener("scroll", () => {
      // Only a scroll up is a reader leaving; the list growing under them is not.
      if (scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR_END_PX) this.#following = true;
      else if (scroll.scrollTop < this.#at - 2 && scroll.scrollHeight >= this.#height) this.#following = false;
      this.#remember();
      if (this.#following) latest.hidden = true;
    }, { passive: true });
    latest.addEventListener("click", () => {
      this.#following = true;
      this.grew();
      list.focus({ preventScroll: true });
    });
    new ResizeObserver(() => this.grew()).observe(scroll);
  }

  /**
   * @template {HTMLElement} T @param {T} entry
   * @param {() => object|null} [tell] what the transcript is told of it (see transcript.js)
   * @returns {T}
   */
  add(entry, tell = () => null) {
    this.blank.hidden = true;
    this.#told.push({ entry, tell, at: Date.now() });
    this.list.append(entry);
    this.grew();
    return entry;
  }

  /** A line of stage direction: who joined, what changed; kind "error" for what failed. */
  note(text, kind = "change") {
    return this.add(el("li", { class: "note", "data-testid": "note", "data-kind": kind }, text), () => ({ kind: "note", text }));
  }

  /** Everything that is shown, for the transcript. @returns {import("./transcript.js").Entry[]} */
  entries() {
    return this.#told.filter(({ entry }) => entry.isConnected)
      .map(({ tell, at }) => ({ entry: tell(), at }))
      .filter(({ entry }) => entry !== null)
      .map(({ entry, at }) => ({ ...entry, at }));
  }

  /** Something got longer: stay at the end, or offer the way there. */
  grew() {
    if (this.#following) {
      this.scroll.scrollTop = this.scroll.scrollHeight;
      this.#remember();
      this.latest.hidden = true;
    } else {
      this.latest.hidden = false;
    }
  }

  #remember() {
    this.#at = this.scroll.scrollTop;
    this.#height = this.scroll.scrollHeight;
  }

  clear() {
    this.list.replaceChildren();
    this.#told = [];
    this.blank.hidden = false;
    this.#following = true;
    this.latest.hidden = true;
  }
}
