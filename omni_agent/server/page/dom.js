// Small helpers to build elements. Everything is inserted as text, never as HTML.

/** @param {string} id */
export const byId = (id) => document.getElementById(id);

/**
 * An element: `el("p", {class: "x", "data-y": "z"}, "text", child, …)`.
 * null, undefined and false children are left out.
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** 1234 → "1.2 s", 87 → "87 ms" */
export function duration(ms) {
  if (!Number.isFinite(ms)) return "";
  if (ms < 995) return `${Math.round(ms)} ms`;
  return ms < 59_950 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** A value from outside as text, whatever it is. */
export function plain(value) {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return String(value);
  }
}
