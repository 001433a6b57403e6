// What tools keep visible: a titled list of rows each, with state colours.

import { clockText, secondsUntil } from "./clock.js";
import { el, plain } from "./dom.js";

const STATES = { on: "on", off: "off", warn: "attention" };
const MOST_ROWS = 60;
const NARROW = matchMedia("(max-width: 820px), (max-height: 520px)");

export class Panels {
  #panels = new Map(); // id → details
  #ticking = null;

  /** @param {HTMLElement} host hidden while there is nothing to show */
  constructor(host) {
    this.host = host;
  }

  /** Show or replace one panel. `data` comes from a plugin: anything may be missing. */
  show(id, data) {
    const title = plain(data?.title) || id;
    const rows = Array.isArray(data?.rows) ? data.rows.filter((row) => row && typeof row === "object") : [];
    const body = rows.length
      ? groups(rows.slice(0, MOST_ROWS))
      : [el("p", { class: "panel-empty" }, plain(data?.empty) || "Nothing here yet.")];
    if (rows.length > MOST_ROWS) body.push(el("p", { class: "panel-empty" }, `and ${rows.length - MOST_ROWS} more`));
    let panel = this.#panels.get(id);
    if (!panel) {
      // Open where there is room; on a phone a tap away, so that the words keep the screen.
      panel = el("details", { class: "panel", "data-testid": "panel", "data-panel": id, open: !NARROW.matches });
      this.#panels.set(id, panel);
      this.host.append(panel);
    }
    const heading = el("summary", {}, el("h2", { class: "panel-title" }, title),
      el("span", { class: "panel-count", "aria-hidden": "true" }, rows.length || ""));
    const focused = panel.contains(document.activeElement);
    panel.replaceChildren(heading, ...body);
    if (focused) heading.focus();
    this.host.hidden = false;
    this.#tick();
    this.#ticking ??= setInterval(() => this.#tick(), 250);
  }

  /** The call is over: nothing here moves any more, and what was to come does not. */
  settle() {
    this.#stop();
    for (const countdown of this.#countdowns()) countdown.textContent = "stopped";
    for (const panel of this.#panels.values()) panel.append(el("p", { class: "panel-over" }, "As it was when the call ended."));
  }

  #countdowns() {
    return this.host.querySelectorAll("[data-until]");
  }

  #tick() {
    for (const countdown of this.#countdowns()) {
      const left = Math.ceil(secondsUntil(Number(countdown.dataset.until)));
      const text = left ? `${clockText(left)} left` : "now";
      if (countdown.textContent !== text) countdown.textContent = text;
    }
  }

  #stop() {
    clearInterval(this.#ticking);
    this.#ticking = null;
  }

  clear() {
    this.#stop();
    this.#panels.clear();
    this.host.replaceChildren();
    this.host.hidden = true;
  }
}

function groups(rows) {
  const byName = new Map();
  for (const row of rows) {
    const name = plain(row.group);
    if (!byName.has(name)) byName.set(name, []);
    byName.get(name).push(row);
  }
  return [...byName].flatMap(([name, members]) => [
    name ? el("h3", { class: "panel-group" }, name) : null,
    el("ul", { class: "panel-rows" }, ...members.map(line)),
  ]).filter(Boolean);
}

function line(row) {
  const state = Object.hasOwn(STATES, row.state) ? row.state : "none";
  return el("li", { class: "panel-row", "data-testid": "panel-row", "data-state": state },
    el("span", { class: "panel-dot", "aria-hidden": "true" }),
    el("span", { class: "panel-label" }, plain(row.label)),
    el("span", { class: "panel-value" }, plain(row.value),
      // role=timer: read when asked for, not each second
      Number.isFinite(row.until) ? el("span", { class: "panel-countdown", role: "timer", "data-testid": "countdown", "data-until": row.until }) : null),
    // The colour says it to the eye; this says it to everyone else.
    STATES[state] ? el("span", { class: "sr" }, ` (${STATES[state]})`) : null);
}
