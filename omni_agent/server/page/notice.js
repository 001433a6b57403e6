// A problem, shown where the conversation is: what happened, what to do, and buttons for it.

import { el } from "./dom.js";

const LABELS = { type: "Take the call by typing", settings: "Choose devices", dismiss: "All right" };

export class Notice {
  /** @param {HTMLElement} box role="alert" @param {(action: string) => void} onAction */
  constructor(box, onAction) {
    Object.assign(this, { box, onAction });
  }

  /** @param {import("./problems.js").Problem} problem */
  show(problem) {
    // "Call again" has its own, bigger button among the call's controls.
    const offered = problem.actions.filter((action) => action !== "call");
    const buttons = offered.map((action, index) => {
      const button = el("button", { type: "button", class: index ? "plain" : "plain strong", "data-action": action }, LABELS[action]);
      button.addEventListener("click", () => {
        this.hide();
        this.onAction(action);
      });
      return button;
    });
    this.box.dataset.kind = problem.kind;
    this.box.replaceChildren(
      el("p", { class: "problem-title" }, problem.message),
      el("p", { class: "problem-advice" }, problem.advice),
      buttons.length ? el("div", { class: "problem-actions" }, ...buttons) : "",
    );
    this.box.hidden = false;
  }

  hide() {
    this.box.hidden = true;
    this.box.replaceChildren();
  }
}
