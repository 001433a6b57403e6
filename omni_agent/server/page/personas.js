// Who answers: a choice before the call, and a change of hands during it.

import { el } from "./dom.js";

const KEY = "omni_agent.persona";

export class Personas {
  #known = new Map();
  current = null;

  /**
   * @param {{fieldset: HTMLElement, list: HTMLElement, onChoose: (name: string) => void}} parts
   */
  constructor({ fieldset, list, onChoose }) {
    Object.assign(this, { fieldset, list, onChoose });
    list.addEventListener("change", ({ target }) => {
      remember(target.value);
      this.onChoose(target.value);
    });
  }

  /** @param {{name: string, title: string, description: string, tools: string[]}[]} personas @param {string|null} first */
  fill(personas, first) {
    this.#known = new Map(personas.map((persona) => [persona.name, persona]));
    this.list.replaceChildren(...personas.map((persona) => el("label", { class: "persona" },
      el("input", { type: "radio", name: "persona", value: persona.name, "data-testid": `persona-${persona.name}` }),
      el("span", {}, persona.title))));
    this.fieldset.hidden = personas.length < 2;
    const kept = remembered();
    const chosen = personas.find((one) => one.name === kept) ?? personas.find((one) => one.name === first) ?? personas[0];
    if (chosen) this.mark(chosen.name);
  }

  /** This one is in force. */
  mark(name) {
    this.current = name;
    for (const input of this.list.querySelectorAll("input")) input.checked = input.value === name;
  }

  title(name = this.current) {
    return this.#known.get(name)?.title ?? name ?? "Agent";
  }

  tools(name = this.current) {
    return this.#known.get(name)?.tools ?? [];
  }

  description(name = this.current) {
    return this.#known.get(name)?.description ?? "";
  }
}

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function remember(name) {
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // not kept for next time, that is all
  }
}
