// Push-to-talk: the microphone is on only while a button (or Space, see keyboard.js) is held.

import { keep, recall } from "./memory.js";

export class PushToTalk {
  /**
   * @param {{button: HTMLButtonElement, choice: HTMLInputElement, onMode: (hold: boolean) => void,
   *   onHold: (held: boolean) => void}} parts
   */
  constructor({ button, choice, onMode, onHold }) {
    choice.checked = recall("hold") === "yes";
    choice.addEventListener("change", () => {
      keep("hold", choice.checked ? "yes" : "");
      onMode(choice.checked);
    });
    onMode(choice.checked);
    this.#followPointer(button, onHold);
    this.#followKeys(button, onHold);
    // A key let go in another window is never seen here.
    window.addEventListener("blur", () => onHold(false));
    document.addEventListener("visibilitychange", () => onHold(false));
  }

  #followPointer(button, onHold) {
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      button.setPointerCapture(event.pointerId); // a thumb that slides off still talks
      onHold(true);
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) button.addEventListener(end, () => onHold(false));
    button.addEventListener("contextmenu", (event) => event.preventDefault()); // what a long press asks for
  }

  #followKeys(button, onHold) {
    button.addEventListener("keydown", (event) => {
      if (event.key !== " " && event.key !== "Enter") return;
      event.preventDefault();
      if (!event.repeat) onHold(true);
    });
    button.addEventListener("keyup", (event) => (event.key === " " || event.key === "Enter") && onHold(false));
    button.addEventListener("blur", () => onHold(false));
    // Voice control and screen readers press without a pointer or a key: once for on, once for off.
    button.addEventListener("click", ({ detail }) => detail === 0 && onHold(button.getAttribute("aria-pressed") !== "true"));
  }
}
