// The conversation as a text to keep: copied as plain text, saved as Markdown.

/**
 * What the timeline tells of one entry.
 * @typedef {{at: number} & (
 *   {kind: "words", who: string, text: string, unheard: string} |
 *   {kind: "tool", name: string, args: string, outcome: string, output: string} |
 *   {kind: "note", text: string})} Entry
 */

const PLAIN = {
  title: (text) => text,
  who: (name) => `${name}:`,
  code: (text) => text,
  words: (text) => text,
  unheard: (text) => `[interrupted; not heard: ${text}]`,
};

// Others' words must stay words: a tool's result may not draw a picture in somebody's editor.
const escaped = (text) => text.replace(/[\\`*_{}[\]()<>#+!|~&-]/g, "\\$&").replace(/^(\s*\d+)([.)])/gm, "$1\\$2");

const MARKDOWN = {
  title: (text) => `# ${escaped(text)}`,
  who: (name) => `**${escaped(name)}:**`,
  code: (text) => `**${escaped(text)}**`,
  words: escaped,
  unheard: (text) => `~~${escaped(text)}~~`,
};

const one = (text) => text.replace(/\s+/g, " ").trim();

const LINES = {
  words: ({ who, text, unheard }, style) =>
    [style.who(who), style.words(one(text)), one(unheard) && style.unheard(one(unheard))].filter(Boolean).join(" "),
  tool: ({ name, args, outcome, output }, style) =>
    [style.who("Tool"), style.code(name), args && style.words(`(${one(args)})`), style.words(outcome),
      output && `→ ${style.words(one(output))}`].filter(Boolean).join(" "),
  note: ({ text }, style) => style.words(`(${one(text)})`),
};

function written(title, entries, style, gap) {
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const lines = entries.map((entry) => `${clock.format(entry.at)} ${LINES[entry.kind](entry, style)}`);
  return [style.title(title), ...lines].join(gap) + "\n";
}

/** @param {string} title @param {Entry[]} entries */
export const asText = (title, entries) => written(title, entries, PLAIN, "\n");

/** @param {string} title @param {Entry[]} entries */
export const asMarkdown = (title, entries) => written(title, entries, MARKDOWN, "\n\n");

/** The two buttons that take the transcript away. */
export class TranscriptButtons {
  /**
   * @param {{copy: HTMLButtonElement, save: HTMLButtonElement, entries: () => Entry[], agent: () => string,
   *   tell: (text: string) => void}} parts  `tell` says what became of it
   */
  constructor({ copy, save, entries, agent, tell }) {
    const title = () => {
      const began = entries()[0]?.at ?? Date.now();
      return `Call with ${agent()}, ${new Date(began).toLocaleString(undefined, { dateStyle: "long", timeStyle: "short" })}`;
    };
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(asText(title(), entries()));
        tell("Transcript copied");
      } catch {
        tell("The browser did not let this page copy. Download the transcript instead.");
      }
    });
    save.addEventListener("click", () => {
      download(`call-${stamp(entries()[0]?.at ?? Date.now())}.md`, asMarkdown(title(), entries()));
      tell("Transcript downloaded");
    });
  }
}

/** 2026-11-30-1802, in local time */
function stamp(at) {
  const date = new Date(at);
  const pad = (value) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}-${pad(date.getHours())}${pad(date.getMinutes())}`;
}

function download(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/markdown" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser may ask where to put it first
}
