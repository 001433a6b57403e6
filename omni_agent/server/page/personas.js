// Who answers: a choice before the call, and a change of hands during it.

import { el } from "./dom.js";
import { keep, recall } from "./memory.js";

const TAG = /^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/; // BCP 47, as far as a browser cares

export class Personas {
  #known = new Map();
  current = null;
  /** Whom the server's operator wants to answer. */
  first = "";
  /** Did the user choose who answers, now or earlier? */
  chosen = false;

  /**
   * @param {{fieldset: HTMLElement, list: HTMLElement, onChoose: (name: string) => void}} parts
   */
  constructor({ fieldset, list, onChoose }) {
    Object.assign(this, { fieldset, list, onChoose });
    list.addEventListener("change", ({ target }) => {
      this.chosen = true;
      keep("persona", JSON.stringify({ name: target.value, instead: this.first }));
      this.onChoose(target.value);
    });
  }

  /**
   * @param {{name: string, title: string, description: string, language: string, tools: string[]}[]} personas
   * @param {string|null} first
   */
  fill(personas, first) {
    this.#known = new Map(personas.map((persona) => [persona.name, persona]));
    this.first = first ?? "";
    this.list.replaceChildren(...personas.map((persona) => el("label", { class: "persona" },
      el("input", { type: "radio", name: "persona", value: persona.name, "data-testid": `persona-${persona.name}` }),
      el("span", {}, persona.title))));
    this.fieldset.hidden = personas.length < 2;
    const kept = this.#remembered();
    this.chosen = kept !== null;
    const answering = kept ?? (this.#known.has(first) ? first : personas[0]?.name);
    if (answering) this.mark(answering);
  }

  /** The user's earlier choice; it holds for as long as it is offered and the operator's default is the same. */
  #remembered() {
    try {
      const { name, instead } = JSON.parse(recall("persona"));
      if (this.#known.has(name) && instead === this.first) return name;
    } catch {
      // nothing is kept, or nothing of ours
    }
    keep("persona", "");
    return null;
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

  /** The language this one speaks, as for `lang`; "" when it is not known. */
  language(name = this.current) {
    const tag = this.#known.get(name)?.language ?? "";
    return TAG.test(tag) ? tag : "";
  }
}
