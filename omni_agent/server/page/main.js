// The call page: puts the parts together. What each part does is said in its own file.
//
// For tests and scripts, these stay stable:
//   body[data-call]        idle | asking | connecting | live | reconnecting | ended
//   body[data-activity], [data-testid=orb][data-activity]
//                          idle | connecting | listening | hearing | thinking | speaking | ended
//   data-testid            call, hangup, mute, talk, camera, stop, message, send, copy, save, theme,
//                          open-settings, open-help, microphone, speaker, volume, push-to-talk, personas,
//                          persona-NAME, persona-name, activity, clock, quality, readiness,
//                          problem (data-kind), retry, captions, announcer, preview, preview-note,
//                          panels, latest, log-out
//   [data-testid=entry]    one utterance: data-role user|agent, data-item,
//                          data-state empty|partial|settled|speaking|interrupted, data-kind
//                          answer|filler|greeting|announcement|apology; inside it [data-testid=line] with
//                          .spoken and .coming, and [data-testid=unheard] around what was not heard
//   [data-testid=tool-card] data-call, data-state running|done|failed|gone; inside it tool-name,
//                          tool-arguments, tool-progress, tool-output, tool-time, tool-status
//   [data-testid=panel] data-panel, [data-testid=panel-row] data-state, [data-testid=countdown]
//   [data-testid=waterfall], [data-testid=waterfall-row] data-mark
// `conversation.receive(event)` renders a server event as if it had come over the data
// channel; `currentCall()` is the call in progress, or null; `volume()` is the agent's, 0 to 1.

import { logOut, takeToken } from "./api.js";
import { Announcer } from "./announcer.js";
import { Call } from "./call.js";
import { Camera } from "./camera.js";
import { Captions } from "./captions.js";
import { Controls } from "./controls.js";
import { Conversation } from "./conversation.js";
import { DeviceChoice, Volume, openMicrophone, silentTrack } from "./devices.js";
import { byId } from "./dom.js";
import { listenToKeys } from "./keyboard.js";
import { Meters } from "./meters.js";
import { Notice } from "./notice.js";
import { Orb } from "./orb.js";
import { Panels } from "./panels.js";
import { Personas } from "./personas.js";
import { Problem, farewell, unusable } from "./problems.js";
import { Readiness } from "./readiness.js";
import { START, next, says, sending } from "./state.js";
import { PushToTalk } from "./talk.js";
import { Timeline } from "./timeline.js";
import { ToolCards } from "./tools.js";
import { TranscriptButtons } from "./transcript.js";
import { WakeLock } from "./wake.js";

const TOLD_MS = 4_000;
const FRAME_MS = 1000 / 30 - 2; // smooth enough, and leaves the processor to the models
const WAIT_AFTER = new Set(["unreachable", "lost", "starting", "shutdown"]); // the server may be away

const audio = new Audio();
audio.autoplay = true;

const announcer = new Announcer(byId("announcer"));
const announce = (text, lang) => announcer.say(text, lang);
const meters = new Meters();
const wakeLock = new WakeLock();
const orb = new Orb(byId("orb-canvas"));
const timeline = new Timeline({ list: byId("captions"), scroll: byId("scroll"), latest: byId("latest"), blank: byId("blank") });
const captions = new Captions(timeline, {
  agentName: () => personas.title(), language: () => personas.language(), announce,
});
const controls = new Controls({
  onCall: () => startCall(), onHangUp: hangUp, onMute: toggleMute, onStop: stopSpeech, onText: sendText,
  onWait() {
    announce(readiness.sentence);
    readiness.watch();
  },
});
const notice = new Notice(byId("problem"), act);
const personas = new Personas({ fieldset: byId("personas"), list: byId("persona-list"), onChoose: choosePersona });
const readiness = new Readiness({
  box: byId("readiness"), words: byId("readiness-text"),
  onAnswer(ready, offer) {
    happens("server", { ready });
    if (ready && notice.kind === "starting") notice.hide();
    if (offer) showOffer(offer);
  },
});
const camera = new Camera({
  button: byId("camera"), figure: byId("preview"), video: byId("preview-video"), note: byId("preview-note"),
  onTrack: (track) => call?.sendVideo(track).catch(() => undefined),
  onProblem: (problem) => notice.show(problem),
});
const devices = new DeviceChoice({
  microphone: byId("microphone"), speaker: byId("speaker"), speakerField: byId("speaker-field"), hint: byId("device-hint"), audio,
  onMicrophone: () => changeMicrophone(),
  onSpeaker: chooseSpeaker,
});
const conversation = new Conversation({
  timeline, captions, tools: new ToolCards(timeline, { announce }), panels: new Panels(byId("panels")),
  onActivity: (activity) => happens("activity", { activity }),
  onPersona: personaChanged,
  onSession(omni) {
    if (typeof omni.sees === "boolean") camera.sees = omni.sees;
    if (typeof omni.persona === "string" && omni.persona) showPersona(omni.persona);
    if (omni.limit_s > 0) controls.limitTo(omni.limit_s);
  },
  onEnded: (reason) => (endReason = reason),
  onError: (message) => {
    timeline.note(message, "error");
    announce(message);
  },
});

/** @type {Call|null} */
let call = null;
let track = null; // what is sent: the microphone, or silence
let state = START;
let endReason = "";
let newToken = false; // taken during a call, for the next one
let offered = false; // who may be called is shown
let wanted = ""; // a persona that was chosen while the line was not up

export { conversation };
export const currentCall = () => call;
export const volume = () => audio.volume;

/** The one way in which the call's state changes. @param {string} kind see state.js */
function happens(kind, facts = {}) {
  state = next(state, { kind, ...facts });
  const said = says(state, personas.title());
  orb.activity = said.activity;
  controls.show(state, said);
  if (track) track.enabled = sending(state);
}

async function startCall({ typing = false } = {}) {
  if (call) return;
  const context = meters.context; // inside the click, so that sound may start
  notice.hide();
  endReason = wanted = "";
  if (!personas.chosen && personas.first) showPersona(personas.first);
  happens("dial", { typing });
  audio.srcObject = null;
  const mine = new Call();
  call = mine;
  mine.addEventListener("state", ({ detail }) => callState(mine, detail));
  mine.addEventListener("message", ({ detail }) => conversation.receive(detail));
  mine.addEventListener("countdown", ({ detail }) => call === mine && happens("countdown", { left: detail.secondsLeft }));
  mine.addEventListener("quality", ({ detail }) => controls.showQuality(detail));
  mine.addEventListener("remote", ({ detail }) => hear(detail));
  const open = async () => {
    const opened = typing ? silentTrack(context) : await openChosen();
    if (call === mine) useTrack(opened, !typing); // else they hung up while the browser was asking
    devices.refresh();
    return opened;
  };
  // Where nobody chose, the server says who answers: a token may name somebody.
  await mine.start({ persona: personas.chosen ? personas.current : null, audio: open, video: camera.track });
}

function callState(from, { state: to, problem }) {
  if (from !== call) return;
  const before = state.call;
  if (to === "live" && !state.wasLive) conversation.clear(); // until now the last call's words were kept
  happens("call", { to });
  if (to === "live") {
    wakeLock.hold();
    if (wanted) choosePersona(wanted);
    announce(before === "reconnecting" ? "The line is back." : `Connected to ${personas.title()}.`);
  } else if (to === "reconnecting") announce("The line dropped. Reconnecting.");
  else if (to === "ended") ended(problem);
}

function ended(problem) {
  call = null;
  wakeLock.release();
  meters.close();
  track?.stop();
  track = null;
  camera.off();
  audio.srcObject = null;
  if (state.wasLive) {
    conversation.settle();
    announce("The call has ended.");
  }
  const shown = problem ?? farewell(endReason);
  if (shown) notice.show(shown);
  if (WAIT_AFTER.has(shown?.kind)) readiness.watch();
  if (newToken) admitted();
}

function hangUp() {
  call?.hangUp();
  controls.focusCall();
}

function hear(stream) {
  audio.srcObject = stream;
  audio.play().catch(() => {
    if (audio.srcObject !== stream) return; // the call is over, or goes on over another link
    notice.show(new Problem("autoplay", "The browser is holding back the sound.", "Press the button to hear the agent.", { actions: ["dismiss"] }));
  });
  chooseSpeaker(devices.speakerId);
  meters.attach("out", stream);
}

/** Send this from now on. @param {MediaStreamTrack} opened @param {boolean} on is it a microphone? */
function useTrack(opened, on) {
  track?.stop();
  track = opened;
  happens("microphone", { on });
  opened.addEventListener("ended", () => track === opened && call && microphoneGone());
  meters.attach("in", new MediaStream([opened]));
}

/** It was unplugged: another one, or the call goes on by typing. */
async function microphoneGone() {
  happens("microphone", { on: false });
  await changeMicrophone(openMicrophone);
}

/** The microphone that is chosen once the browser has asked; another may be by then. */
async function openChosen() {
  const id = devices.microphoneId;
  const opened = await openMicrophone(id);
  if (id === devices.microphoneId) return opened;
  opened.stop();
  return openChosen();
}

async function changeMicrophone(open = openChosen) {
  const mine = call;
  if (!mine || mine.state === "asking") return; // what it opens is the one that is chosen
  try {
    const opened = await open();
    if (call !== mine) return opened.stop();
    useTrack(opened, true);
    await mine.sendAudio(opened);
  } catch (error) {
    if (call !== mine) return;
    const problem = error instanceof Problem ? error : unusable("The browser could not use this microphone.", error);
    problem.actions = ["settings", "dismiss"];
    notice.show(problem);
  }
}

function chooseSpeaker(deviceId) {
  audio.setSinkId?.(deviceId).catch(() => undefined); // gone: the system's default plays
}

/** The microphone's button: mute and unmute, or, on a call without one, open it. */
function toggleMute() {
  if (says(state).mute.hidden) return;
  if (!state.microphone) return changeMicrophone();
  happens("mute", { on: !state.muted });
  announce(state.muted ? "Microphone muted." : "Microphone on.");
}

/** Push-to-talk; false when this call is not held that way. */
function hold(on) {
  if (says(state).talk.hidden) return false;
  if (on !== state.held) happens("hold", { on });
  return true;
}

/** Esc and the stop button; false when there is nothing to stop. */
function stopSpeech() {
  if (!says(state).stop.enabled || !call) return false;
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
  const sent = call?.send({ type: "omni.persona.choose", persona: name });
  wanted = call && !sent ? name : "";
  if (!call) showPersona(name); // in a call once it is so
}

function personaChanged(name) {
  if (!name) return;
  const other = name !== personas.current || controls.personaName !== personas.title(name);
  showPersona(name);
  if (other) timeline.note(`${personas.title(name)} is on the line`);
}

function showPersona(name) {
  personas.mark(name);
  controls.showPersona(personas.title(name), personas.description(name), personas.tools(name), personas.language(name));
}

function act(action) {
  if (action === "type") startCall({ typing: true });
  else if (action === "settings") byId("settings").showModal();
  else if (action === "login") location.assign(new URL("./", document.baseURI));
  else if (action === "reload") location.reload();
  else if (action === "dismiss") audio.play().catch(() => undefined);
}

function showOffer({ personas: known, first, sees, engine, version, loggedIn }) {
  camera.sees = sees;
  controls.showEngine(engine, version);
  happens("login", { on: loggedIn });
  if (offered) return;
  offered = known.length > 0;
  const answering = call && personas.current; // somebody was called meanwhile
  personas.fill(known, first);
  if (answering) personas.mark(answering);
  if (personas.current) showPersona(personas.current);
}

/** Another link was opened here, and its token says who may be called. */
function admitted() {
  newToken = Boolean(call);
  if (call) return;
  if (notice.kind === "login") notice.hide();
  offered = false;
  readiness.watch();
}

async function leave() {
  byId("settings").close();
  try {
    await logOut();
    act("login");
  } catch (problem) {
    notice.show(problem);
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
  hold,
  stop: stopSpeech,
  type: () => controls.focusMessage(),
  camera: () => says(state).camera.hidden || camera.toggle(),
  help: () => byId("help").showModal(),
});
byId("log-out").addEventListener("click", leave);
window.addEventListener("pagehide", () => call?.hangUp());
window.addEventListener("hashchange", () => takeToken() && admitted());

new Volume({ slider: byId("volume"), field: byId("volume-field"), audio });
new PushToTalk({ button: byId("talk"), choice: byId("push-to-talk"), onMode: (on) => happens("mode", { hold: on }), onHold: hold });
new TranscriptButtons({
  copy: byId("copy"), save: byId("save"), entries: () => timeline.entries(), agent: () => personas.title(),
  tell(text) {
    byId("told").textContent = text;
    announce(text);
    setTimeout(() => byId("told").textContent === text && (byId("told").textContent = ""), TOLD_MS);
  },
});
devices.refresh();
readiness.watch();
requestAnimationFrame(frame);
