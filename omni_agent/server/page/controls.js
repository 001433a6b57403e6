// The call's buttons and readings: shows what state.js says.

import { clockText } from "./clock.js";
import { byId } from "./dom.js";

const NEAR_LIMIT_S = 120; // what is left is said from here on

/** RTT and loss as a person would put it. */
function judge({ rttMs, lossPercent }) {
  if (lossPercent > 8 || (rttMs ?? 0) > 400) return ["poor", "Poor line"];
  if (lossPercent > 2 || (rttMs ?? 0) > 180) return ["fair", "Fair line"];
  return ["good", "Good line"];
}

export class Controls {
  #call = "idle";
  #enabled = true;
  #clock = null;
  #liveSince = 0;
  #limitS = Infinity;

  /**
   * @param {{onCall: () => void, onHangUp: () => void, onMute: () => void, onStop: () => void,
   *   onText: (text: string) => boolean, onWait: () => void}} actions
   *   `onWait`: Call was pressed while the server takes no calls
   */
  constructor({ onCall, onHangUp, onMute, onStop, onText, onWait }) {
    for (const name of ["call", "hangup", "mute", "talk", "camera", "stop", "message", "send"]) this[name] = byId(name);
    this.call.addEventListener("click", () => (this.#enabled ? onCall() : onWait()));
    this.hangup.addEventListener("click", onHangUp);
    this.mute.addEventListener("click", onMute);
    this.stop.addEventListener("click", onStop);
    byId("compose").addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.message.value.trim();
      if (text && onText(text)) this.message.value = "";
    });
  }

  /** @param {import("./state.js").State} state @param {ReturnType<import("./state.js").says>} said */
  show(state, said) {
    this.#showButtons(said);
    document.body.dataset.activity = byId("orb").dataset.activity = said.activity;
    document.body.toggleAttribute("data-silent", said.silent);
    if (byId("activity").textContent !== said.sentence) byId("activity").textContent = said.sentence;
    if (this.#call === state.call) return;
    this.#call = document.body.dataset.call = state.call;
    this.#entered(state.call);
  }

  #showButtons({ call, hangup, mute, talk, camera, stop, message, logOut }) {
    this.#enabled = call.enabled;
    this.call.hidden = call.hidden;
    // Not `disabled`: the button keeps its place in the tab order while the server starts.
    this.call.setAttribute("aria-disabled", String(!call.enabled));
    byId("call-label").textContent = call.label;
    this.hangup.hidden = hangup.hidden;
    this.mute.hidden = mute.hidden;
    this.mute.setAttribute("aria-pressed", String(mute.pressed));
    this.mute.querySelector(".label").textContent = mute.label;
    this.mute.querySelector("use").setAttribute("href", mute.off ? "#i-mic-off" : "#i-mic");
    this.talk.hidden = talk.hidden;
    this.talk.setAttribute("aria-pressed", String(talk.pressed));
    this.camera.hidden = camera.hidden;
    this.stop.hidden = stop.hidden;
    this.stop.disabled = !stop.enabled;
    byId("login").hidden = logOut.hidden;
    this.message.disabled = this.send.disabled = !message.enabled;
    this.message.placeholder = message.hint;
  }

  #entered(call) {
    if (call === "asking") {
      clearInterval(this.#clock);
      byId("clock").hidden = true; // it still shows the last call
      this.#limitS = Infinity;
      this.#liveSince = 0;
      this.hangup.focus();
    }
    if (call === "live" && !this.#liveSince) {
      this.#startClock();
      // Space on a focused button presses it: let that be the microphone, not hang up.
      const microphone = this.talk.hidden ? this.mute : this.talk;
      if (document.activeElement === this.hangup || document.activeElement === document.body) microphone.focus();
    }
    if (call === "ended") {
      clearInterval(this.#clock);
      byId("quality").hidden = true;
    }
  }

  get personaName() {
    return byId("persona-name").textContent;
  }

  /** @param {string[]} tools names @param {string} language as for `lang` */
  showPersona(title, description, tools, language) {
    byId("persona-name").textContent = title;
    byId("persona-description").textContent = description;
    byId("meter-out-name").textContent = title;
    byId("persona-tools").textContent = tools.length ? `Can use ${tools.map((name) => name.replaceAll("_", " ")).join(", ")}` : "";
    byId("message").lang = language;
  }

  /** @param {[string, string][]} engine (stage, model) @param {string} version "" when it is not told */
  showEngine(engine, version) {
    const runsOn = engine.length ? `Runs on ${engine.map(([stage, model]) => `${model} (${stage})`).join(", ")}.` : "";
    byId("engine").textContent = [version && `omni_agent ${version}.`, runsOn].filter(Boolean).join(" ");
  }

  /** @param {{rttMs: number|null, lossPercent: number}} quality */
  showQuality(quality) {
    const [grade, name] = judge(quality);
    const parts = [];
    if (quality.rttMs !== null) parts.push(`${Math.max(1, Math.round(quality.rttMs))} ms`);
    if (quality.lossPercent >= 1) parts.push(`${Math.round(quality.lossPercent)} % lost`);
    byId("quality").dataset.quality = grade;
    byId("quality-grade").textContent = name;
    byId("quality-text").textContent = parts.join(" · ");
    byId("quality").hidden = false;
  }

  /** @param {{in: number, out: number}} levels */
  showLevels(levels) {
    if (document.body.dataset.call !== "live") return; // nobody sees the meters
    byId("meter-in").style.setProperty("--level", levels.in.toFixed(3));
    byId("meter-out").style.setProperty("--level", levels.out.toFixed(3));
  }

  /** The longest this call may last, from its beginning. @param {number} seconds */
  limitTo(seconds) {
    this.#limitS = seconds;
  }

  focusMessage() {
    if (!this.message.disabled) this.message.focus();
  }

  focusCall() {
    if (!this.call.hidden) this.call.focus();
  }

  #startClock() {
    this.#liveSince = performance.now();
    const clock = byId("clock");
    const show = () => {
      const seconds = (performance.now() - this.#liveSince) / 1000;
      const left = this.#limitS - seconds;
      clock.toggleAttribute("data-ending", left <= NEAR_LIMIT_S);
      clock.textContent = left <= NEAR_LIMIT_S ? `${clockText(left)} left` : clockText(seconds);
    };
    show();
    clock.hidden = false;
    clearInterval(this.#clock);
    this.#clock = setInterval(show, 1000);
  }
}
