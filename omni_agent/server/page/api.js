// The server's HTTP side. Addresses are relative to the page, so that the agent may be
// mounted anywhere in another application.

import { learnClock } from "./clock.js";
import { Problem, fromResponse, unreachable } from "./problems.js";

/** A token from the operator's backend, good for one call. */
let given = "";

/**
 * Takes the token that came with the address, `…/#token=…`: it is gone from the address bar at once.
 * @returns {boolean} was there one?
 */
export function takeToken() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get("token");
  if (token === null) return false;
  fragment.delete("token");
  const rest = fragment.toString();
  // Where a key is needed, the login page sent it on to index.html; "./" is what was typed.
  const path = location.pathname.replace(/\/index\.html$/, "/");
  history.replaceState(history.state, "", path + location.search + (rest && `#${rest}`));
  given = token.trim();
  return true;
}

takeToken();

/** After this answer: is the token still good? Whoever was only put off tries again with it. */
function spend(token, response) {
  const used = response.ok || response.status === 401 || response.status === 403;
  if (used && token === given) given = ""; // else another came meanwhile
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(new URL(path, document.baseURI), { cache: "no-store", ...options });
  } catch (error) {
    if (error?.name === "AbortError") throw error;
    throw unreachable();
  }
  learnClock(response);
  return response;
}

async function json(response) {
  try {
    return await response.json();
  } catch {
    throw new Problem("refused", "The server's answer could not be understood.", "Reload the page and call again.");
  }
}

const text = (value, fallback = "") => (typeof value === "string" ? value : fallback);

/** What the token lets in, for as long as there is one. */
const credentials = () => (given ? { Authorization: `Bearer ${given}` } : {});

/**
 * What there is to choose from, and what it runs on.
 * @typedef {{personas: {name: string, title: string, description: string, language: string, tools: string[]}[],
 *   first: string|null, sees: boolean|null, engine: [string, string][], version: string, loggedIn: boolean}} Offer
 *   sees: null while nobody knows. loggedIn: this browser brought the server's key
 */

/** @returns {Offer} */
function offerOf(body) {
  const list = Array.isArray(body.personas) ? body.personas : [];
  return {
    personas: list.filter((persona) => typeof persona?.name === "string").map((persona) => ({
      name: persona.name,
      title: text(persona.title, persona.name),
      description: text(persona.description),
      language: text(persona.language),
      tools: Array.isArray(persona.tools) ? persona.tools.map(String) : [],
    })),
    first: text(body.default) || null,
    sees: body.status === "ready" && typeof body.sees === "boolean" ? body.sees : null,
    engine: Object.entries(body.engine ?? {}).map(([stage, model]) => [stage, String(model)]),
    version: text(body.version),
    loggedIn: body.logged_in === true,
  };
}

/**
 * Does the server take calls, and who answers? Unlike /healthz this is no error while it
 * starts: a browser's console would show one for each time it is asked.
 * @returns {Promise<{state: "ready"|"starting"|"failed", progress: string, offer: Offer|null}>}
 *   offer: null where it is kept from who asks
 */
export async function fetchOffer() {
  const response = await ask("v1/personas", { headers: credentials() });
  const body = response.ok ? await response.json().catch(() => null) : null;
  // Only 503 means "not now": where the answer is kept from callers (401, 404), a call is worth trying.
  if (!body) return { state: response.status === 503 ? "starting" : "ready", progress: "", offer: null };
  const state = body.status === "starting" || body.status === "failed" ? body.status : "ready";
  return { state, progress: text(body.progress), offer: offerOf(body) };
}

/** This browser brought the server's key: let the server forget that. */
export async function logOut() {
  const response = await ask("logout", { method: "POST" });
  if (!response.ok) throw await fromResponse(response);
}

/** Why the server refused; where it cannot take calls at all, that is the reason. @param {Response} response */
async function refusal(response) {
  const problem = await fromResponse(response);
  if (problem.kind !== "busy") return problem;
  const { state } = await fetchOffer().catch(() => ({ state: "ready" }));
  if (state === "ready") return problem;
  return new Problem("starting", state === "failed" ? "The server could not start." : "The server is not ready yet.",
    "This page keeps asking; you can call as soon as it is.");
}

/**
 * A short-lived key for one call.
 * @returns {Promise<{value: string, iceServers: RTCIceServer[]}>}
 */
export async function fetchSecret() {
  const sent = given;
  const response = await ask("v1/realtime/client_secrets", {
    method: "POST",
    headers: { "Content-Type": "application/json", ...credentials() },
    body: JSON.stringify({ session: { type: "realtime" } }),
  });
  if (!response.ok) {
    spend(sent, response);
    throw await refusal(response);
  }
  const body = await json(response);
  const value = body?.value ?? body?.client_secret?.value;
  if (typeof value !== "string" || !value) {
    throw new Problem("refused", "The server gave no key for the call.", "Reload the page and call again.");
  }
  return { value, iceServers: Array.isArray(body.ice_servers) ? body.ice_servers : [] };
}

/**
 * Offer a call; answers with the server's SDP and where to hang up.
 * @param {string} sdp
 * @param {string} secret
 * @param {string|null} persona
 * @returns {Promise<{sdp: string, location: string|null}>}
 */
export async function placeCall(sdp, secret, persona) {
  const query = persona ? `?persona=${encodeURIComponent(persona)}` : "";
  const response = await ask(`v1/realtime/calls${query}`, {
    method: "POST",
    headers: { "Content-Type": "application/sdp", Authorization: `Bearer ${secret}` },
    body: sdp,
  });
  spend(secret, response); // the server answers a token with the same one
  if (!response.ok) throw await refusal(response);
  const location = response.headers.get("Location");
  return { sdp: await response.text(), location: location ? new URL(location, response.url).href : null };
}

/** The server has no such call any more. */
export class Gone extends Error {}

const RENEW_TIMEOUT_MS = 6_000;

/**
 * Offer a lost call anew: the server's SDP. Throws Gone when there is nothing to go on with.
 * @param {string} location @param {string} sdp @param {string} secret the call was begun with
 */
export async function renewCall(location, sdp, secret) {
  if (!ours(location)) throw new Gone();
  const response = await ask(location, {
    method: "POST",
    headers: { "Content-Type": "application/sdp", Authorization: `Bearer ${secret}` },
    body: sdp,
    signal: AbortSignal.timeout(RENEW_TIMEOUT_MS),
  });
  if (response.ok) return response.text();
  const later = response.status >= 500 || response.status === 429 || response.status === 408;
  throw later ? await fromResponse(response) : new Gone();
}

/** A foreign Location would be sent our key: only our own server gets it. */
function ours(location) {
  return Boolean(location) && new URL(location).origin === window.location.origin;
}

/** Tell the server that the call is over; must also work while the page is being closed. */
export function endCall(location, secret) {
  if (!ours(location)) return;
  // As JSON, because only then does the browser say in `Origin` which page sends it.
  const said = new Blob([JSON.stringify({ token: secret })], { type: "application/json" });
  if (navigator.sendBeacon?.(`${location}/hangup`, said)) return;
  fetch(location, { method: "DELETE", headers: { Authorization: `Bearer ${secret}` }, keepalive: true })
    .catch(() => undefined); // the server notices a closed line by itself
}
