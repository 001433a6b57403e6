// A problem, shown where the conversation is: what happened, what to do, and buttons for it.

import { clockText } from "./clock.js";
import { el } from "./dom.js";

const LABELS = {
  type: "Take the call by typing", settings: "Choose devices", login: "Log in", reload: "Reload the page", dismiss: "All right",
};

export class Notice {
  #waiting = null;

  /** @param {HTMLElement} box role="alert" @param {(action: string) => void} onAction */
  constructor(box, onAction) {
    Object.assign(this, { box, onAction });
  }

  /** What is shown, if anything. */
  get kind() {
    return this.box.hidden ? "" : this.box.dataset.kind;
  }

  /** @param {import("./problems.js").Problem} problem */
  show(problem) {
    clearInterval(this.#waiting);
    // "Call again" has its own, bigger button among the call's controls.
    const buttons = problem.actions.filter((action) => action !== "call").map((action, index) => this.#button(action, index));
    this.box.dataset.kind = problem.kind;
    this.box.replaceChildren(
      el("p", { class: "problem-title" }, problem.message),
      el("p", { class: "problem-advice" }, problem.advice),
      problem.retryAfter ? this.#countdown(problem.retryAfter) : "",
      buttons.length ? el("div", { class: "problem-actions" }, ...buttons) : "",
    );
    this.box.hidden = false;
  }

  hide() {
    clearInterval(this.#waiting);
    this.box.hidden = true;
    this.box.replaceChildren();
  }

  #button(action, index) {
    const button = el("button", { type: "button", class: index ? "plain" : "plain strong", "data-action": action }, LABELS[action]);
    button.addEventListener("click", () => {
      this.hide();
      this.onAction(action);
    });
    return button;
  }

  /** Said once, and then only shown: an alert that ticks would be read out each second. */
  #countdown(seconds) {
    const until = performance.now() + seconds * 1000;
    const ticking = el("span", { "aria-hidden": "true", "data-testid": "retry" });
    const show = () => {
      const left = Math.ceil((until - performance.now()) / 1000);
      ticking.textContent = left > 0 ? `Try again in ${clockText(left)}` : "You can try again now";
      if (left <= 0) clearInterval(this.#waiting);
    };
    show();
    this.#waiting = setInterval(show, 250);
    return el("p", { class: "problem-wait" }, ticking, el("span", { class: "sr" }, `Try again in ${seconds} second${seconds === 1 ? "" : "s"}.`));
  }
}
