// Tool calls as cards: name, arguments, a spinner while it runs, then result and duration.

import { duration, el, plain } from "./dom.js";

const LONG = 180; // characters; a longer result is folded

export class ToolCards {
  #cards = new Map(); // call id → card

  /**
   * @param {import("./timeline.js").Timeline} timeline
   * @param {{announce: (text: string) => void}} options
   */
  constructor(timeline, { announce }) {
    Object.assign(this, { timeline, announce });
  }

  /** A call was decided or has started; may be told more than once. `reported`: its end will be too. */
  started(callId, name, args, { reported = false } = {}) {
    const card = this.#card(callId, name);
    card.reported ||= reported;
    if (name) card.name.textContent = name;
    if (args !== undefined) drawArguments(card.args, args);
    this.timeline.grew();
  }

  /** It waits for the user's yes; or goes on, once that has come or has not. */
  waiting(callId, waits) {
    const card = this.#cards.get(callId);
    if (!card || !open(card)) return;
    card.root.dataset.state = waits ? "waiting" : "running";
    card.status.textContent = waits ? "Waiting for your answer" : "Running";
    card.progress.textContent = waits ? card.status.textContent : "";
    card.progress.hidden = !waits;
    this.timeline.grew();
  }

  progress(callId, text) {
    const card = this.#cards.get(callId);
    if (!card || !open(card)) return;
    card.progress.textContent = text;
    card.progress.hidden = !text;
  }

  /** @param {{name?: string, output: unknown, ok: boolean, ms?: number}} result */
  finished(callId, { name, output, ok, ms }) {
    const card = this.#card(callId, name);
    if (name) card.name.textContent = name;
    card.result = plain(output);
    this.#close(card, ok ? "done" : "failed", Number.isFinite(ms) ? duration(ms) : "");
    drawOutput(card.output, plain(output), () => this.timeline.grew());
    this.announce(`${card.name.textContent} ${ok ? "finished" : "failed"}: ${plain(output).slice(0, 200)}`);
    this.timeline.grew();
  }

  /** A result seen without our extensions: only the words, and only when nothing better came. */
  output(callId, output) {
    const card = this.#cards.get(callId);
    if (card && !card.reported && open(card)) this.finished(callId, { output, ok: true });
  }

  /** The call is over: what still ran has no result here. */
  settle() {
    for (const card of this.#cards.values()) {
      if (open(card)) this.#close(card, "gone", "call ended");
    }
  }

  clear() {
    this.#cards.clear();
  }

  #close(card, state, remark) {
    card.root.dataset.state = state;
    card.status.textContent = { done: "Done", failed: "Failed", gone: "No result" }[state];
    card.time.textContent = remark;
    card.progress.hidden = true;
  }

  #card(callId, name = "") {
    const known = this.#cards.get(callId);
    if (known) return known;
    const card = {
      result: "",
      name: el("code", { class: "tool-name", "data-testid": "tool-name" }, name),
      status: el("span", { class: "sr", "data-testid": "tool-status" }, "Running"),
      time: el("span", { class: "tool-time", "data-testid": "tool-time" }),
      args: el("dl", { class: "tool-arguments", "data-testid": "tool-arguments" }),
      progress: el("p", { class: "tool-progress", "data-testid": "tool-progress", hidden: true }),
      output: el("div", { class: "tool-output", "data-testid": "tool-output" }),
    };
    card.root = el("li", { class: "tool", "data-testid": "tool-card", "data-call": callId, "data-state": "running" },
      el("span", { class: "tool-mark", "aria-hidden": "true" }),
      el("div", { class: "tool-call" }, card.name, card.status, card.args),
      card.time, card.progress, card.output);
    this.#cards.set(callId, card);
    this.timeline.add(card.root, () => told(card));
    return card;
  }
}

/** Whether its call may still come to something. */
function open(card) {
  return ["running", "waiting"].includes(card.root.dataset.state);
}

/** A card as the transcript has it. */
function told(card) {
  const args = [...card.args.children].map((pair) => [...pair.children].map((part) => part.textContent).join(": ")).join(", ");
  const outcome = [card.status.textContent.toLowerCase(), card.root.dataset.state === "gone" ? "" : card.time.textContent];
  return { kind: "tool", name: card.name.textContent, args, outcome: outcome.filter(Boolean).join(" in "), output: card.result };
}

function drawArguments(list, args) {
  let value = args;
  if (typeof value === "string") {
    try {
      value = JSON.parse(value);
    } catch {
      // shown as it came
    }
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    list.replaceChildren(...(plain(value) ? [el("div", {}, el("dd", {}, plain(value)))] : []));
    return;
  }
  list.replaceChildren(...Object.entries(value).map(([key, one]) =>
    el("div", {}, el("dt", {}, key.replaceAll("_", " ")), el("dd", {}, plain(one)))));
}

function drawOutput(box, text, grew) {
  const words = el("p", { class: "tool-words" }, text);
  box.replaceChildren(words);
  if (text.length <= LONG) return;
  words.classList.add("folded");
  const more = el("button", { type: "button", class: "link", "aria-expanded": "false" }, "Show all");
  more.addEventListener("click", () => {
    const folded = words.classList.toggle("folded");
    more.textContent = folded ? "Show all" : "Show less";
    more.setAttribute("aria-expanded", String(!folded));
    grew();
  });
  box.append(more);
}
