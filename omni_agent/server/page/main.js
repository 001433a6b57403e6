// The call page: puts the parts together. What each part does is said in its own file.
//
// For tests and scripts, these stay stable:
//   body[data-call]        idle | asking | connecting | live | ended
//   body[data-activity], [data-testid=orb][data-activity]
//                          idle | connecting | listening | hearing | thinking | speaking | ended
//   data-testid            call, hangup, mute, camera, stop, message, send, theme, open-settings,
//                          open-help, microphone, speaker, personas, persona-NAME, persona-name,
//                          activity, clock, quality, readiness, problem (data-kind), captions,
//                          announcer, preview, preview-note, panels, latest
//   [data-testid=entry]    one utterance: data-role user|agent, data-item,
//                          data-state empty|partial|settled|speaking|interrupted, data-kind
//                          answer|filler|greeting|announcement; inside it [data-testid=line] with
//                          .spoken and .coming, and [data-testid=unheard] around what was not heard
//   [data-testid=tool-card] data-call, data-state running|done|failed|gone; inside it tool-name,
//                          tool-arguments, tool-progress, tool-output, tool-time, tool-status
//   [data-testid=panel] data-panel, [data-testid=panel-row] data-state
//   [data-testid=waterfall], [data-testid=waterfall-row] data-mark
// `conversation.receive(event)` renders a server event as if it had come over the data
// channel; `currentCall()` is the call in progress, or null.

import { fetchPersonas } from "./api.js";
import { Announcer } from "./announcer.js";
import { Call } from "./call.js";
import { Camera } from "./camera.js";
import { Captions } from "./captions.js";
import { Controls } from "./controls.js";
import { Conversation } from "./conversation.js";
import { DeviceChoice, openMicrophone, silentTrack } from "./devices.js";
import { byId } from "./dom.js";
import { listenToKeys } from "./keyboard.js";
import { Meters } from "./meters.js";
import { Notice } from "./notice.js";
import { Orb } from "./orb.js";
import { Panels } from "./panels.js";
import { Personas } from "./personas.js";
import { Problem, lost } from "./problems.js";
import { Readiness } from "./readiness.js";
import { Timeline } from "./timeline.js";
import { ToolCards } from "./tools.js";
import { WakeLock } from "./wake.js";

const FRAME_MS = 1000 / 30 - 2; // smooth enough, and leaves the processor to the models
const WAIT_AFTER = new Set(["unreachable", "lost", "busy", "shutdown"]); // the server may be away

const audio = new Audio();
audio.autoplay = true;

const announcer = new Announcer(byId("announcer"));
const announce = (text) => announcer.say(text);
const meters = new Meters();
const wakeLock = new WakeLock();
const orb = new Orb(byId("orb-canvas"));
const timeline = new Timeline({ list: byId("captions"), scroll: byId("scroll"), latest: byId("latest"), blank: byId("blank") });
const captions = new Captions(timeline, { agentName: () => personas.title(), announce });
const controls = new Controls({ onCall: () => startCall(), onHangUp: hangUp, onMute: toggleMute, onStop: stopSpeech, onText: sendText });
const notice = new Notice(byId("problem"), act);
const personas = new Personas({ fieldset: byId("personas"), list: byId("persona-list"), onChoose: choosePersona });
const readiness = new Readiness({
  box: byId("readiness"), words: byId("readiness-text"),
  onChange(ready) {
    controls.ready = ready;
    if (ready && personas.current === null) loadPersonas();
  },
});
const camera = new Camera({
  button: byId("camera"), figure: byId("preview"), video: byId("preview-video"), note: byId("preview-note"),
  onTrack: (track) => call?.sendVideo(track).catch(() => undefined),
  onProblem: (problem) => notice.show(problem),
});
const devices = new DeviceChoice({
  microphone: byId("microphone"), speaker: byId("speaker"), speakerField: byId("speaker-field"), hint: byId("device-hint"), audio,
  onMicrophone: changeMicrophone,
  onSpeaker: chooseSpeaker,
});
const conversation = new Conversation({
  timeline, captions, tools: new ToolCards(timeline, { announce }), panels: new Panels(byId("panels")),
  onActivity: setActivity,
  onPersona: personaChanged,
  onSession(omni) {
    if (typeof omni.sees === "boolean") camera.sees = omni.sees;
    if (typeof omni.persona === "string" && omni.persona) showPersona(omni.persona);
  },
  onEnded: (reason) => (endReason = reason),
  onError: (message) => {
    timeline.note(message, "error");
    announce(message);
  },
});

/** @type {Call|null} */
let call = null;
let microphone = null; // the track that is sent
let muted = false;
let connected = false; // was the last call ever up?
let endReason = "";

export { conversation };
export const currentCall = () => call;

async function startCall({ typing = false } = {}) {
  if (call) return;
  const context = meters.context; // inside the click, so that sound may start
  notice.hide();
  conversation.clear();
  endReason = "";
  connected = false;
  setMuted(false);
  audio.srcObject = null;
  const mine = new Call();
  call = mine;
  mine.addEventListener("state", ({ detail }) => callState(mine, detail));
  mine.addEventListener("message", ({ detail }) => conversation.receive(detail));
  mine.addEventListener("quality", ({ detail }) => controls.showQuality(detail));
  mine.addEventListener("remote", ({ detail }) => hear(detail));
  const open = async () => {
    const track = typing ? silentTrack(context) : await openMicrophone(devices.microphoneId);
    if (call === mine) useMicrophone(track); // else they hung up while the browser was asking
    devices.refresh();
    return track;
  };
  await mine.start({ persona: personas.current, audio: open, video: camera.track });
}

function callState(from, { state, problem }) {
  if (from !== call) return;
  controls.callState = state;
  if (state === "asking") setActivity("connecting", "Allow the microphone to begin");
  else if (state === "connecting") setActivity("connecting", `Calling ${personas.title()}`);
  else if (state === "live") {
    connected = true;
    wakeLock.hold();
    setActivity("listening");
    announce(`Connected to ${personas.title()}.`);
  } else if (state === "ended") ended(problem);
}

function ended(problem) {
  call = null;
  wakeLock.release();
  conversation.settle();
  meters.close();
  microphone?.stop();
  microphone = null;
  camera.off();
  audio.srcObject = null;
  setActivity("ended", connected ? "Call ended" : "Not connected");
  if (connected) announce("The call has ended.");
  const shown = problem ?? farewell(endReason);
  if (shown) notice.show(shown);
  if (WAIT_AFTER.has(shown?.kind)) readiness.watch();
}

/** Why the server hung up, when that needs saying. */
function farewell(reason) {
  if (!reason || reason === "hangup" || reason === "goodbye") return null;
  if (reason === "idle") {
    return new Problem("idle", "The call ended because nobody spoke for a while.", "Call again whenever you like.");
  }
  if (reason === "shutdown") {
    return new Problem("shutdown", "The server was shut down.", "Call again once it is back.");
  }
  return reason === "lost" ? lost() : new Problem("ended", "The server ended the call.", reason);
}

function hangUp() {
  call?.hangUp();
  controls.focusCall();
}

function hear(stream) {
  audio.srcObject = stream;
  audio.play().catch(() => {
    notice.show(new Problem("autoplay", "The browser is holding back the sound.", "Press the button to hear the agent.", { actions: ["dismiss"] }));
  });
  chooseSpeaker(devices.speakerId);
  meters.attach("out", stream);
}

function useMicrophone(track) {
  microphone?.stop();
  microphone = track;
  track.enabled = !muted;
  track.addEventListener("ended", () => microphone === track && call && changeMicrophone(""));
  meters.attach("in", new MediaStream([track]));
}

async function changeMicrophone(deviceId) {
  if (!call || call.state !== "live") return;
  try {
    useMicrophone(await openMicrophone(deviceId));
    await call?.sendAudio(microphone);
  } catch (problem) {
    problem.actions = ["settings", "dismiss"];
    notice.show(problem);
  }
}

function chooseSpeaker(deviceId) {
  audio.setSinkId?.(deviceId).catch(() => undefined); // gone: the system's default plays
}

function setMuted(value) {
  muted = value;
  if (microphone) microphone.enabled = !muted;
  controls.muted = muted;
}

function toggleMute() {
  if (call?.state !== "live") return;
  setMuted(!muted);
  announce(muted ? "Microphone muted." : "Microphone on.");
}

/** Esc and the stop button; false when there is nothing to stop. */
function stopSpeech() {
  if (document.body.dataset.activity !== "speaking" || !call) return false;
  call.send({ type: "response.cancel" });
  call.send({ type: "output_audio_buffer.clear" });
  return true;
}

function sendText(text) {
  const id = `item_${crypto.randomUUID?.().replaceAll("-", "").slice(0, 20) ?? Date.now().toString(36)}`;
  const item = { id, type: "message", role: "user", content: [{ type: "input_text", text }] };
  if (!call?.send({ type: "conversation.item.create", item })) return false;
  call.send({ type: "response.create" });
  captions.userText(id, text, true);
  return true;
}

function choosePersona(name) {
  if (call?.send({ type: "omni.persona.choose", persona: name })) return; // shown once it is so
  if (!call) showPersona(name);
}

function personaChanged(name) {
  if (!name) return;
  const other = name !== personas.current || controls.personaName !== personas.title(name);
  showPersona(name);
  if (other) timeline.note(`${personas.title(name)} is on the line`);
}

function showPersona(name) {
  personas.mark(name);
  controls.showPersona(personas.title(name), personas.description(name), personas.tools(name));
}

function setActivity(activity, words) {
  orb.activity = activity;
  controls.showActivity(activity, words);
}

function act(action) {
  if (action === "type") startCall({ typing: true });
  else if (action === "settings") byId("settings").showModal();
  else if (action === "dismiss") audio.play().catch(() => undefined);
}

async function loadPersonas() {
  try {
    const { personas: known, first, sees, engine } = await fetchPersonas();
    personas.fill(known, first);
    camera.sees = sees;
    controls.showEngine(engine);
    if (personas.current) showPersona(personas.current);
  } catch {
    // The server's default persona answers; there is only no choice to offer.
    personas.current ??= null;
  }
}

let drawnAt = 0;

function frame(now) {
  requestAnimationFrame(frame);
  if (now - drawnAt < FRAME_MS) return;
  drawnAt = now;
  const levels = meters.read();
  controls.showLevels(levels);
  orb.draw(now, document.body.dataset.activity === "speaking" ? levels.out : levels.in);
  captions.tick();
}

for (const [button, dialog] of [["open-settings", "settings"], ["open-help", "help"]]) {
  byId(button).addEventListener("click", () => byId(dialog).showModal());
  byId(dialog).addEventListener("click", ({ target }) => target === byId(dialog) && byId(dialog).close());
}
byId("announce").addEventListener("change", ({ target }) => (announcer.enabled = target.checked));
listenToKeys({
  enabled: () => byId("shortcuts").checked,
  mute: toggleMute,
  stop: stopSpeech,
  type: () => controls.focusMessage(),
  camera: () => call?.state === "live" && camera.toggle(),
  help: () => byId("help").showModal(),
});
window.addEventListener("pagehide", () => call?.hangUp());

devices.refresh();
loadPersonas();
readiness.watch();
requestAnimationFrame(frame);
