// The camera: a preview on the page, and the same track on the call.

import { openCamera } from "./devices.js";
import { blind } from "./problems.js";

const SIGHTED = "The agent sees the latest picture when it answers.";

export class Camera {
  track = null;
  #opening = null;
  #sees = null;

  /**
   * @param {{button: HTMLButtonElement, figure: HTMLElement, video: HTMLVideoElement, note: HTMLElement,
   *   onTrack: (track: MediaStreamTrack|null) => void, onProblem: (problem: Error) => void}} parts
   */
  constructor(parts) {
    Object.assign(this, parts);
    this.button.addEventListener("click", () => this.toggle());
  }

  /** Does the engine understand pictures? null: not known yet. */
  set sees(value) {
    this.#sees = value;
    this.note.textContent = value ? SIGHTED : "";
    if (value === false && (this.track || this.#opening)) this.#refuse();
  }

  async toggle() {
    if (this.track || this.#opening) return this.off();
    if (this.#sees === false) return this.#refuse();
    const opening = openCamera();
    this.#opening = opening;
    try {
      const track = await opening;
      if (this.#opening === opening) this.#show(track);
      else track.stop(); // off() was called while the browser asked
    } catch (problem) {
      if (this.#opening === opening) this.onProblem(problem);
    } finally {
      if (this.#opening === opening) this.#opening = null;
    }
  }

  off() {
    this.#opening = null;
    if (!this.track) return;
    this.track.stop();
    this.track = null;
    this.video.srcObject = null;
    this.#reflect();
    this.onTrack(null);
  }

  #refuse() {
    this.off();
    this.onProblem(blind());
  }

  #show(track) {
    this.track = track;
    track.addEventListener("ended", () => this.off()); // unplugged
    this.video.srcObject = new MediaStream([track]);
    this.#reflect();
    this.onTrack(track);
  }

  #reflect() {
    const on = Boolean(this.track);
    this.figure.hidden = !on;
    this.button.setAttribute("aria-pressed", String(on));
  }
}
