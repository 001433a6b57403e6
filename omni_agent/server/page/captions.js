// What both sides say, as a script: one entry an utterance, changing in place.
//
// The server sends the agent's words ahead of the sound. An entry's words stand faint
// until they are voiced; how far the voice has come is estimated from the clock at the
// speaking rate learned so far, and corrected by what the server reports as heard.

import { el } from "./dom.js";

const FIRST_RATE = 0.015; // characters a millisecond: about 180 words a minute of English
const RATE_BOUNDS = [0.004, 0.04];
const LONGEST_WORD = 24; // characters; what goes on longer is written without spaces
const LEARNING = 0.3; // weight of the newest utterance in the rate

export class Captions {
  #entries = new Map(); // item id → entry
  #rate = FIRST_RATE;
  #speaking = new Set(); // entries whose words are being voiced
  #ignored = new Set(); // ids of what is no turn; their transcripts still come

  /**
   * @param {import("./timeline.js").Timeline} timeline
   * @param {{agentName: () => string, language: () => string, announce: (text: string, lang: string) => void,
   *   now?: () => number}} options  language: what both speak, as for `lang`
   */
  constructor(timeline, { agentName, language, announce, now = () => performance.now() }) {
    Object.assign(this, { timeline, agentName, language, announce, now });
  }

  has(id) {
    return this.#entries.has(id);
  }

  /** The user began to speak: a place for the words to come. */
  userSpeaks(id) {
    this.dropEmpty();
    this.#entry(id, "user");
  }

  /** All that the user said so far, replacing what came before. */
  userPartial(id, text) {
    if (this.#entry(id, "user").root.dataset.state === "settled") return;
    this.#entry(id, "user").whole = true;
    this.userText(id, text, false);
  }

  /** What the user said so far; `settled` when it is all and final. */
  userText(id, text, settled) {
    if (this.#ignored.has(id)) return void (settled && this.#ignored.delete(id));
    if (settled && !text.trim()) return this.drop(id); // a cough, a door
    const entry = this.#entry(id, "user");
    entry.text = text;
    entry.line.textContent = text;
    entry.root.dataset.state = settled ? "settled" : "partial";
    if (settled) this.announce(`You: ${text}`, entry.line.lang);
    this.timeline.grew();
  }

  /** One more piece of a partial transcript. */
  userDelta(id, delta) {
    if (this.#ignored.has(id)) return;
    const entry = this.#entry(id, "user");
    // Servers that send whole partials repeat all of it as one delta at the end.
    if (entry.root.dataset.state === "settled" || entry.whole) return;
    this.userText(id, entry.text + delta, false);
  }

  /** @param {string} kind answer, filler, greeting or announcement */
  agentStarts(id, responseId, kind = "answer") {
    const entry = this.#entry(id, "agent");
    entry.root.dataset.kind = kind;
    if (responseId) entry.root.dataset.response = responseId;
  }

  /** The agent is going to say this next. */
  agentDelta(id, responseId, delta) {
    const entry = this.#entry(id, "agent");
    if (responseId) entry.root.dataset.response = responseId;
    if (entry.done) return;
    // A clause may come without the space that parts it from the last.
    const glue = entry.text && !/\s$/.test(entry.text) && /^[\p{L}"(]/u.test(delta) && /[.,;:!?…)]$/.test(entry.text) ? " " : "";
    entry.text += glue + delta;
    this.#draw(entry);
  }

  /** The first sound of it left for the user. */
  agentPlays(id) {
    const entry = this.#entries.get(id);
    if (!entry || entry.done || entry.playingSince !== null) return;
    entry.playingSince = this.now();
    this.#speaking.add(entry);
  }

  /** Sound of this response began: the first of its utterances that is not over is being voiced. */
  responsePlays(responseId) {
    for (const [id, entry] of this.#entries) {
      if (entry.root.dataset.response === responseId && !entry.done) return this.agentPlays(id);
    }
  }

  /** All of the text is known; the voice may still be on its way. */
  agentText(id, text) {
    const entry = this.#entry(id, "agent");
    if (entry.done || !text) return;
    entry.text = text;
    this.#draw(entry);
  }

  /**
   * The utterance is over. @param {{text: string, heard: string, heardMs: number, interrupted: boolean}} end
   */
  agentFinishes(id, { text, heard, heardMs = 0, interrupted }) {
    const entry = this.#entry(id, "agent");
    if (entry.done) return;
    entry.done = true;
    this.#speaking.delete(entry);
    entry.text = text || entry.text;
    if (interrupted) this.#strike(entry, heard);
    else {
      this.#learn(entry.text.length, heardMs);
      entry.spoken.textContent = entry.text;
      entry.coming.textContent = "";
      entry.root.dataset.state = "settled";
    }
    if (!entry.text) return this.drop(id);
    this.announce(`${entry.who}: ${interrupted ? `${heard} (interrupted)` : entry.text}`, entry.line.lang);
    this.timeline.grew();
  }

  /** Move the estimated voice on; call once a frame. */
  tick() {
    for (const entry of this.#speaking) this.#draw(entry);
  }

  /** The call is over: nothing more will be said. */
  settle() {
    this.dropEmpty();
    for (const [id, entry] of this.#entries) {
      if (entry.root.dataset.role !== "agent" || entry.done) continue;
      const heard = entry.playingSince === null ? "" : entry.spoken.textContent;
      const whole = heard.trim() === entry.text.trim();
      this.agentFinishes(id, { text: entry.text, heard, interrupted: !whole });
    }
  }

  /** The last entry of a response, for what belongs under it. */
  lastOf(responseId) {
    const entries = [...this.#entries.values()].filter((entry) => entry.root.dataset.response === responseId);
    return entries.at(-1)?.root ?? null;
  }

  /** Did anything of this response answer the user? Greetings and announcements do not. */
  answers(responseId) {
    const kinds = [...this.#entries.values()].filter(({ root }) => root.dataset.response === responseId).map(({ root }) => root.dataset.kind);
    return !kinds.length || kinds.some((kind) => kind !== "greeting" && kind !== "announcement");
  }

  /** It was no turn: a listening noise, or the agent's own words come back. */
  ignore(id) {
    this.drop(id);
    this.#ignored.add(id);
  }

  drop(id) {
    this.#entries.get(id)?.root.remove();
    this.#entries.delete(id);
  }

  clear() {
    this.#entries.clear();
    this.#speaking.clear();
    this.#ignored.clear();
  }

  #entry(id, role) {
    const known = this.#entries.get(id);
    if (known) return known;
    const spoken = el("span", { class: "spoken" });
    const coming = el("span", { class: "coming" });
    const line = el("p", { class: "line", "data-testid": "line", lang: this.language() || null, dir: "auto" });
    if (role === "agent") line.append(spoken, coming);
    else line.append(el("span", { class: "hearing", "aria-label": "speaking" }, el("i"), el("i"), el("i")));
    const who = role === "agent" ? this.agentName() : "You";
    const root = el("li", {
      class: "entry", "data-testid": "entry", "data-role": role, "data-item": id,
      "data-state": role === "agent" ? "speaking" : "empty",
    }, el("span", { class: "speaker", dir: "auto" }, who), line);
    const entry = { root, who, line, spoken, coming, text: "", unheard: "", playingSince: null, done: false };
    this.#entries.set(id, entry);
    this.timeline.add(root, () => told(entry));
    return entry;
  }

  #draw(entry) {
    const at = entry.playingSince === null ? 0 : this.#reached(entry);
    if (entry.shown === at && entry.drawn === entry.text) return;
    entry.shown = at;
    entry.drawn = entry.text;
    entry.spoken.textContent = entry.text.slice(0, at);
    entry.coming.textContent = entry.text.slice(at);
    this.timeline.grew();
  }

  /** How many characters have been voiced by now, to the end of a word. */
  #reached(entry) {
    const estimate = Math.floor((this.now() - entry.playingSince) * this.#rate) + 1;
    if (estimate >= entry.text.length) return entry.text.length;
    const space = entry.text.indexOf(" ", estimate);
    if (space !== -1 && space - estimate < LONGEST_WORD) return space;
    if (entry.text.length - estimate < LONGEST_WORD) return entry.text.length;
    // A script without spaces: to the character, but never half of one.
    return /[\uDC00-\uDFFF]/.test(entry.text[estimate]) ? estimate + 1 : estimate;
  }

  #strike(entry, heard) {
    const { root, line, text } = entry;
    root.dataset.state = "interrupted";
    const cut = text.startsWith(heard) ? heard.length : commonPrefix(text, heard);
    const rest = text.slice(cut).trimStart();
    entry.unheard = rest;
    entry.spoken.textContent = text.slice(0, cut);
    line.replaceChildren(entry.spoken);
    if (!rest) return;
    line.append(
      " ",
      el("span", { class: "sr", lang: "en" }, "(interrupted; not heard:) "),
      el("s", { class: "unheard", "data-testid": "unheard" }, rest),
    );
  }

  #learn(characters, ms) {
    if (characters < 20 || ms < 800) return;
    const [low, high] = RATE_BOUNDS;
    const measured = Math.min(high, Math.max(low, characters / ms));
    this.#rate += LEARNING * (measured - this.#rate);
  }

  /** A sound that turned out to be no turn: take its empty entry away. */
  dropEmpty() {
    for (const [id, entry] of this.#entries) {
      if (entry.root.dataset.state === "empty") this.drop(id);
    }
  }
}

/** An entry as the transcript has it; null while nothing was said. */
function told({ who, text, unheard }) {
  const said = unheard ? text.slice(0, text.length - unheard.length).trim() : text;
  return text ? { kind: "words", who, text: said, unheard } : null;
}

/** How far the heard words go into the text when spacing or case differ. */
function commonPrefix(text, heard) {
  const fold = (character) => character.toLowerCase();
  let at = 0;
  for (const character of heard) {
    if (/\s/.test(character)) continue;
    let next = at;
    while (next < text.length && /\s/.test(text[next])) next += 1;
    if (next >= text.length || fold(text[next]) !== fold(character)) break;
    at = next + 1;
  }
  return at;
}
