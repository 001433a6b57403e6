// The call's buttons and readings: what is offered in which state of the call.

import { byId } from "./dom.js";

const ACTIVITY = {
  idle: "Ready when you are",
  listening: "Listening",
  hearing: "Hearing you",
  thinking: "Thinking",
  speaking: "Speaking",
};

/** RTT and loss as a person would put it. */
function judge({ rttMs, lossPercent }) {
  if (lossPercent > 8 || (rttMs ?? 0) > 400) return ["poor", "Poor line"];
  if (lossPercent > 2 || (rttMs ?? 0) > 180) return ["fair", "Fair line"];
  return ["good", "Good line"];
}

export class Controls {
  #state = "idle";
  #ready = true; // until the server says otherwise: no click is lost while it is asked
  #muted = false;
  #activity = "idle";
  #words = "";
  #liveSince = 0;
  #clock = null;

  /**
   * @param {{onCall: () => void, onHangUp: () => void, onMute: () => void, onStop: () => void,
   *   onText: (text: string) => boolean}} actions
   */
  constructor({ onCall, onHangUp, onMute, onStop, onText }) {
    this.call = byId("call");
    this.hangup = byId("hangup");
    this.mute = byId("mute");
    this.camera = byId("camera");
    this.stop = byId("stop");
    this.message = byId("message");
    this.send = byId("send");
    this.call.addEventListener("click", () => this.#ready && onCall());
    this.hangup.addEventListener("click", onHangUp);
    this.mute.addEventListener("click", onMute);
    this.stop.addEventListener("click", onStop);
    byId("compose").addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.message.value.trim();
      if (text && onText(text)) this.message.value = "";
    });
  }

  set ready(ready) {
    this.#ready = ready;
    this.#reflect();
  }

  /** @param {"idle"|"asking"|"connecting"|"live"|"ended"} state */
  set callState(state) {
    const before = this.#state;
    this.#state = state;
    document.body.dataset.call = state;
    this.#reflect();
    if (state === "asking") {
      byId("clock").hidden = true; // it still shows the last call
      this.hangup.focus();
    }
    if (state === "live" && before !== "live") {
      this.#startClock();
      // Space on a focused button presses it: let that be mute, not hang up.
      if (document.activeElement === this.hangup || document.activeElement === document.body) this.mute.focus();
    }
    if (state === "ended") {
      clearInterval(this.#clock);
      byId("quality").hidden = true;
    }
  }

  set muted(muted) {
    this.#muted = muted;
    this.mute.setAttribute("aria-pressed", String(muted));
    this.mute.querySelector(".label").textContent = muted ? "Unmute" : "Mute";
    this.mute.querySelector("use").setAttribute("href", muted ? "#i-mic-off" : "#i-mic");
    document.body.toggleAttribute("data-muted", muted);
    this.showActivity(this.#activity, this.#words);
  }

  get personaName() {
    return byId("persona-name").textContent;
  }

  /** @param {string[]} tools names */
  showPersona(title, description, tools) {
    byId("persona-name").textContent = title;
    byId("persona-description").textContent = description;
    byId("meter-out-name").textContent = title;
    byId("persona-tools").textContent = tools.length ? `Can use ${tools.map((name) => name.replaceAll("_", " ")).join(", ")}` : "";
    this.#reflect();
  }

  /** @param {[string, string][]} engine (stage, model) */
  showEngine(engine) {
    byId("engine").textContent = engine.length ? `Runs on ${engine.map(([stage, model]) => `${model} (${stage})`).join(", ")}.` : "";
  }

  /** @param {string} [words] instead of the activity's own */
  showActivity(activity, words = "") {
    this.#activity = activity;
    this.#words = words;
    document.body.dataset.activity = activity;
    byId("orb").dataset.activity = activity;
    const said = words || ACTIVITY[activity] || "";
    byId("activity").textContent = this.#muted && activity === "listening" ? `${said}, but you are muted` : said;
    this.stop.disabled = activity !== "speaking";
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
    if (this.#state !== "live") return; // nobody sees the meters
    byId("meter-in").style.setProperty("--level", levels.in.toFixed(3));
    byId("meter-out").style.setProperty("--level", levels.out.toFixed(3));
  }

  focusMessage() {
    if (!this.message.disabled) this.message.focus();
  }

  focusCall() {
    if (!this.call.hidden) this.call.focus();
  }

  #reflect() {
    const busy = ["asking", "connecting", "live"].includes(this.#state);
    const live = this.#state === "live";
    this.call.hidden = busy;
    // Not `disabled`: the button keeps its place in the tab order while the server starts.
    this.call.setAttribute("aria-disabled", String(!this.#ready));
    byId("call-label").textContent = this.#state === "ended" ? "Call again" : "Call";
    this.hangup.hidden = !busy;
    for (const control of [this.mute, this.camera, this.stop]) control.hidden = !live;
    this.message.disabled = this.send.disabled = !live;
    this.message.placeholder = live ? "Or type a message" : "You can type here during a call";
  }

  #startClock() {
    this.#liveSince = performance.now();
    const clock = byId("clock");
    const show = () => {
      const total = Math.floor((performance.now() - this.#liveSince) / 1000);
      clock.textContent = `${Math.floor(total / 60)}:${String(total % 60).padStart(2, "0")}`;
    };
    show();
    clock.hidden = false;
    clearInterval(this.#clock);
    this.#clock = setInterval(show, 1000);
  }
}
