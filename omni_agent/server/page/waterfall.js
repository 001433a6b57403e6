// Where one turn's time went: a bar from each mark to the next, from the end of the
// user's speech on. Folded to one line, with the figure that matters in it.

import { duration, el } from "./dom.js";

const NAMES = {
  end_of_turn: "Turn is over",
  transcript: "Words recognised",
  context: "Looked up",
  first_thought: "First thought",
  tool_decided: "Tool chosen",
  tool_done: "Tool answered",
  first_text: "First words",
  first_frame: "First sound made",
  on_the_wire: "Sound sent",
  answer_on_the_wire: "Answer sent",
};

const STAGES = Object.keys(NAMES);

/** By time; what reads the same was in the order of the stages, whatever a clock's tick says. */
function inOrder([a, from], [b, to]) {
  return duration(from) === duration(to) ? STAGES.indexOf(a) - STAGES.indexOf(b) : from - to;
}

/** The steps in order of time; anything that is no number is left out. */
export function steps(marks) {
  const known = Object.entries(marks ?? {}).filter(([, at]) => Number.isFinite(at));
  known.sort(inOrder);
  let before = 0;
  return known.map(([name, at]) => {
    const step = { name: NAMES[name] ?? name.replaceAll("_", " "), key: name, from: Math.min(before, at), to: at };
    before = Math.max(before, at);
    return step;
  });
}

/** The figures that matter: how soon there was a sound, and the answer if that came later. */
function headline(rows) {
  const at = Object.fromEntries(rows.map((row) => [row.key, row.to]));
  const sound = at.on_the_wire;
  const answer = at.answer_on_the_wire;
  if (sound === undefined) return ["Took ", el("b", {}, duration(rows.at(-1).to))];
  if (answer === undefined || answer - sound < 20) return ["Answered in ", el("b", {}, duration(sound))];
  return ["First sound in ", el("b", {}, duration(sound)), ", answer in ", el("b", {}, duration(answer))];
}

/** The waterfall of a turn as an element, or null when there is nothing to draw. */
export function drawWaterfall(marks) {
  const rows = steps(marks);
  if (!rows.length) return null;
  const first = Math.min(0, rows[0].from);
  const span = Math.max(1, ...rows.map((row) => row.to - first));
  const list = el("ol", { class: "waterfall-rows" });
  for (const row of rows) {
    const bar = el("i", { class: "waterfall-bar", "aria-hidden": "true" });
    bar.style.setProperty("--from", String((row.from - first) / span));
    bar.style.setProperty("--size", String((row.to - row.from) / span));
    list.append(el("li", { "data-testid": "waterfall-row", "data-mark": row.key },
      el("span", { class: "waterfall-name" }, row.name),
      el("span", { class: "waterfall-track" }, bar),
      el("span", { class: "waterfall-ms" }, duration(row.to))));
  }
  return el("details", { class: "waterfall", "data-testid": "waterfall" }, el("summary", {}, ...headline(rows)),
    el("p", { class: "waterfall-caption" }, "Since the end of your speech"), list);
}
