// Single keys, for when nobody is typing. They can be switched off (WCAG 2.1.4).

const TYPING = "input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable]";
const PRESSABLE = "button, a[href], summary, input, label";

/**
 * @param {{enabled: () => boolean, mute: () => void, hold: (on: boolean) => boolean, stop: () => boolean,
 *   type: () => void, camera: () => void, help: () => void}} actions
 *   `hold` is push-to-talk: false when that is not how this call is held; while it is, Space talks
 *   wherever the focus is, and buttons are pressed by Enter.
 */
export function listenToKeys(actions) {
  let holding = false;
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return; // Esc and Tab belong to it
    if (event.key === "Escape") {
      if (actions.stop()) event.preventDefault();
      return;
    }
    if (holding && event.key === " ") return event.preventDefault(); // it repeats; the page must not scroll
    const target = event.target instanceof Element ? event.target : document.body;
    if (!actions.enabled() || event.repeat || target.closest(TYPING)) return;
    if (event.key === " " && (holding = actions.hold(true))) return event.preventDefault();
    // Else Space on a button presses that button; only elsewhere is it a shortcut.
    if (event.key === " " && target.closest(PRESSABLE)) return;
    const action = { " ": actions.mute, m: actions.mute, "/": actions.type, v: actions.camera, "?": actions.help }[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
  const release = () => {
    if (holding) actions.hold(false);
    holding = false;
  };
  document.addEventListener("keyup", (event) => {
    if (event.key !== " ") return;
    if (holding) event.preventDefault(); // some browsers press a button when its key is let go
    release();
  });
  window.addEventListener("blur", release);
}
