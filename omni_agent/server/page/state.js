// The call as one value, and all that the page says of it. Pure: main.js tells it what
// happens, controls.js shows what it says, and nothing else decides what a button is called.

/**
 * @typedef {Readonly<{
 *   call: "idle"|"asking"|"connecting"|"live"|"reconnecting"|"ended",
 *   activity: "listening"|"hearing"|"thinking"|"speaking",  as the server said last
 *   typing: boolean,      taken without a microphone, on purpose
 *   microphone: boolean,  there is one on this call
 *   muted: boolean,
 *   hold: boolean,        push-to-talk: the microphone is on only while held
 *   held: boolean,
 *   wasLive: boolean,     this call was up at some time
 *   left: number|null,    seconds until a lost line is given up
 *   ready: boolean,       the server takes calls, as far as is known
 *   login: boolean,       this browser brought the server's key
 * }>} State
 */

/** @type {State} */
export const START = Object.freeze({
  call: "idle", activity: "listening", typing: false, microphone: false, muted: false, hold: false, held: false,
  wasLive: false, left: null,
  ready: true, // until the server says otherwise: no click is lost while it is asked
  login: false,
});

const UP = new Set(["live", "reconnecting"]);
const BUSY = new Set(["asking", "connecting", ...UP]);
const STOPPABLE = new Set(["thinking", "speaking"]);
const AGENT_DOES = { listening: "Listening", hearing: "Hearing you", thinking: "Thinking", speaking: "Speaking" };

const HAPPENINGS = {
  dial: ({ hold, ready, login }, { typing = false }) => ({ ...START, hold, ready, login, call: "asking", typing }),
  call: (state, { to }) => ({ ...state, call: to, wasLive: state.wasLive || to === "live", held: false, left: null }),
  countdown: (state, { left }) => (state.call === "reconnecting" ? { ...state, left } : state),
  activity: (state, { activity }) => (state.call === "live" && Object.hasOwn(AGENT_DOES, activity) ? { ...state, activity } : state),
  microphone: (state, { on }) => ({ ...state, microphone: on, held: false }),
  mute: (state, { on }) => (state.microphone ? { ...state, muted: on } : state),
  mode: (state, { hold }) => ({ ...state, hold, held: false, muted: false }),
  hold: (state, { on }) => ({ ...state, held: on && state.call === "live" && state.microphone && state.hold }),
  server: (state, { ready }) => ({ ...state, ready }),
  login: (state, { on }) => ({ ...state, login: on }),
};

/**
 * What the state is after this happened.
 * @param {State} state
 * @param {{kind: keyof typeof HAPPENINGS} & Record<string, unknown>} happening
 * @returns {State}
 */
export function next(state, happening) {
  return Object.freeze(HAPPENINGS[happening.kind](state, happening));
}

/** Is the user's voice sent? @param {State} state */
export function sending(state) {
  return state.microphone && (state.hold ? state.held : !state.muted);
}

/** What the orb shows. @param {State} state */
export function activityOf(state) {
  if (state.call === "idle" || state.call === "ended") return state.call;
  if (state.call !== "live") return "connecting";
  // Words that were under way when the microphone closed are no reason to say "Hearing you".
  return state.activity === "hearing" && !state.microphone ? "listening" : state.activity;
}

const SENTENCES = {
  idle: () => "Ready when you are",
  asking: (state, agent) => (state.typing ? `Calling ${agent}` : "Allow the microphone to begin"),
  connecting: (_, agent) => `Calling ${agent}`,
  reconnecting: ({ left }) => `Reconnecting${left === null ? "" : `, ${left} s`}`,
  ended: (state) => (state.wasLive ? "Call ended" : "Not connected"),
};

function sentence(state, agent) {
  if (state.call !== "live") return SENTENCES[state.call](state, agent);
  const activity = activityOf(state);
  if (activity !== "listening") return AGENT_DOES[activity];
  if (!state.microphone) return "Waiting for what you type";
  if (state.hold) return state.held ? "Listening" : "Hold to talk";
  return state.muted ? "Listening, but you are muted" : "Listening";
}

function microphoneLabel(state) {
  if (!state.microphone) return "Use mic";
  return state.muted ? "Unmute" : "Mute";
}

/**
 * Everything the page shows of the call's state.
 * @param {State} state @param {string} agent the name of who is called
 */
export function says(state, agent = "the agent") {
  const live = state.call === "live";
  const up = UP.has(state.call);
  const holding = state.hold && state.microphone;
  const activity = activityOf(state);
  return {
    activity,
    sentence: sentence(state, agent),
    silent: up && !sending(state),
    call: { hidden: BUSY.has(state.call), enabled: state.ready, label: state.call === "ended" && state.wasLive ? "Call again" : "Call" },
    hangup: { hidden: !BUSY.has(state.call) },
    logOut: { hidden: !state.login || BUSY.has(state.call) },
    mute: { hidden: !up || holding, label: microphoneLabel(state), pressed: state.muted, off: state.muted || !state.microphone },
    talk: { hidden: !up || !holding, pressed: state.held },
    camera: { hidden: !up },
    stop: { hidden: !up, enabled: STOPPABLE.has(activity) },
    message: { enabled: live, hint: live ? "Or type a message" : "You can type here during a call" },
  };
}
