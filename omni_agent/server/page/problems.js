// Everything that can go wrong, as a sentence a person can act on.

/** A failure fit for the user's eyes. `actions` name what the page can offer next. */
export class Problem extends Error {
  /**
   * @param {string} kind stable name, e.g. "microphone-denied"
   * @param {string} title what happened, one sentence
   * @param {string} advice what to do about it
   * @param {{actions?: ("call"|"type"|"settings"|"login"|"reload"|"dismiss")[], retryAfter?: number}} [more]
   *   retryAfter: seconds to wait before another try
   */
  constructor(kind, title, advice, { actions = ["call"], retryAfter = 0 } = {}) {
    super(title);
    this.kind = kind;
    this.advice = advice;
    this.actions = actions;
    this.retryAfter = retryAfter;
  }
}

const AT_THE_MACHINE = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);

/** What the server said beyond its status, for its developer; callers elsewhere are not shown internals. */
export function detail(said) {
  return said && AT_THE_MACHINE ? ` It said: “${said}”` : "";
}

const MICROPHONE = {
  NotAllowedError: () => new Problem(
    "microphone-denied",
    "The browser did not let this page use your microphone.",
    "Allow the microphone in the address bar (the icon left of the address), then call again. You can also take the call by typing.",
    { actions: ["call", "type"] },
  ),
  NotFoundError: () => new Problem(
    "microphone-missing",
    "No microphone was found.",
    "Plug one in or switch it on, then call again. You can also take the call by typing: you will still hear the agent.",
    { actions: ["call", "type"] },
  ),
  NotReadableError: () => new Problem(
    "microphone-busy",
    "The microphone is in use by another program.",
    "Close the other call or recorder, or choose another microphone, then call again.",
    { actions: ["call", "settings", "type"] },
  ),
  OverconstrainedError: () => new Problem(
    "microphone-gone",
    "The microphone you chose is no longer there.",
    "Choose another one, then call again.",
    { actions: ["settings", "call"] },
  ),
};

/** A failed getUserMedia for the microphone. @param {unknown} error */
export function fromMicrophone(error) {
  const name = error?.name === "SecurityError" ? "NotAllowedError" : error?.name;
  const known = MICROPHONE[name];
  if (known) return known();
  return new Problem("microphone", "The microphone could not be opened.",
    "Try another microphone, or take the call by typing.",
    { actions: ["settings", "call", "type"] });
}

/** A failed getUserMedia for the camera. @param {unknown} error */
export function fromCamera(error) {
  const why = {
    NotAllowedError: "The browser did not let this page use your camera. Allow it in the address bar and try again.",
    NotFoundError: "No camera was found.",
    NotReadableError: "The camera is in use by another program.",
  }[error?.name] ?? "The camera could not be opened.";
  return new Problem("camera", why, "The call goes on without it.", { actions: ["dismiss"] });
}

/** A camera is of no use on this call. */
export function blind() {
  return new Problem("blind", "This model has no eyes.", "It cannot see what you show, so the camera stays off.", { actions: ["dismiss"] });
}

/** This page was not loaded over HTTPS or from localhost. */
export function insecure() {
  return new Problem("insecure",
    "Browsers only allow the microphone on a secure page.",
    `Open this page as https://${location.host}, if it is served there. You can also take the call by typing: you will still hear the agent.`,
    { actions: ["type"] });
}

/** The server did not answer at all. */
export function unreachable() {
  return new Problem("unreachable", "The server does not answer.",
    "Check that you are online. This page keeps trying; you can call again as soon as it answers.");
}

/** The line broke during a call. */
export function lost() {
  return new Problem("lost", "The line was lost.",
    "The network between you and the server dropped. What was said so far is kept below.");
}

/** Media could not get through although signalling did. */
export function unconnected() {
  return new Problem("unconnected", "No audio connection could be made to the server.",
    "A firewall or a VPN may be blocking calls. Try another network, such as your phone's, then call again.");
}

/** The browser failed at what calls are made of; why is for developers, in the console. @param {unknown} error */
export function unusable(title, error) {
  console.error("omni_agent:", title, error);
  return new Problem("refused", title,
    "Reload the page and call again. If that does not help, update the browser, or try another one.",
    { actions: ["reload", "call"] });
}

const FAREWELLS = {
  idle: ["The call ended because nobody spoke for a while.", "Call again whenever you like."],
  time: ["The call reached the longest time this server allows.", "Call again to go on."],
  shutdown: ["The server was shut down.", "Call again once it is back."],
  failed: ["Something went wrong on the server, and it ended the call.", "Call again to go on."],
};

/** Ends that need no words: everybody on the line knows. */
const EXPECTED = new Set(["hangup", "goodbye", "agent"]);

/** Why the server ended the call, when that needs saying. @param {string} reason of `omni.session.ended` */
export function farewell(reason) {
  if (!reason || EXPECTED.has(reason)) return null;
  if (Object.hasOwn(FAREWELLS, reason)) return new Problem(reason, ...FAREWELLS[reason]);
  return new Problem("ended", "Something went wrong on the server, and it ended the call.", `Call again to go on.${detail(reason)}`);
}

function seconds(value) {
  const parsed = Number.parseInt(value ?? "", 10);
  return Number.isFinite(parsed) && parsed > 0 ? Math.min(parsed, 600) : 0;
}

/** What the server said with an error status, at most a few lines of it. */
async function reason(response) {
  try {
    const text = (await response.text()).slice(0, 2000);
    try {
      const body = JSON.parse(text);
      const said = body?.error?.message ?? body?.detail ?? body?.message ?? "";
      return typeof said === "string" ? said.slice(0, 300) : "";
    } catch {
      return /^\s*</.test(text) ? "" : text.slice(0, 300);
    }
  } catch {
    return "";
  }
}

/** A call that the server refused. @param {Response} response */
export async function fromResponse(response) {
  const details = detail(await reason(response));
  const retryAfter = seconds(response.headers.get("Retry-After"));
  switch (response.status) {
    case 401:
      return new Problem("login", "This server wants to know who calls.",
        "Log in. If you came by a link, ask for a new one: each is good for one call.", { actions: ["login", "call"] });
    case 403:
      return new Problem("forbidden", "The server did not accept a call from this page.",
        `Reload the page and call again. If it is part of another site, that site has to be allowed on the server.${details}`,
        { actions: ["reload"] });
    case 429:
      return new Problem("rate", "Too many calls from here in a short time.", "Wait a little, then call again.", { retryAfter });
    case 503:
      return new Problem("busy", "All lines are busy.", "Somebody else is on the phone. Call again in a moment.", { retryAfter });
    default:
      return new Problem("refused", "The server could not set up the call.", `Reload the page and call again.${details}`,
        { actions: ["reload"] });
  }
}
