// What this browser remembers of the user's choices. Storage may be blocked: then nothing
// is kept for next time, and that is all.

const PREFIX = "omni_agent.";

/** @param {string} key @returns {string} "" when nothing is kept */
export function recall(key) {
  try {
    return localStorage.getItem(PREFIX + key) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} key @param {string} value "" forgets it */
export function keep(key, value) {
  try {
    if (value) localStorage.setItem(PREFIX + key, value);
    else localStorage.removeItem(PREFIX + key);
  } catch {
    // not kept
  }
}
