// The server's HTTP side. Addresses are relative to the page, so that the agent may be
// mounted anywhere in another application.

import { Problem, fromResponse, unreachable } from "./problems.js";

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(new URL(path, document.baseURI), { cache: "no-store", ...options });
  } catch (error) {
    if (error?.name === "AbortError") throw error;
    throw unreachable();
  }
  return response;
}

async function json(response) {
  try {
    return await response.json();
  } catch {
    throw new Problem("refused", "The server's answer could not be understood.",
      "Is this page served by an omni_agent server, and of the same version?");
  }
}

const text = (value, fallback = "") => (typeof value === "string" ? value : fallback);

/**
 * The personas to choose from, and what they run on.
 * @returns {Promise<{personas: {name: string, title: string, description: string, tools: string[]}[],
 *   first: string|null, sees: boolean|null, engine: [string, string][]}>}
 */
export async function fetchPersonas() {
  const response = await ask("v1/personas");
  if (!response.ok) throw await fromResponse(response);
  const body = await json(response);
  const list = Array.isArray(body?.personas) ? body.personas : [];
  return {
    personas: list.filter((persona) => typeof persona?.name === "string").map((persona) => ({
      name: persona.name,
      title: text(persona.title, persona.name),
      description: text(persona.description),
      tools: Array.isArray(persona.tools) ? persona.tools.map(String) : [],
    })),
    first: text(body?.default) || null,
    sees: typeof body?.sees === "boolean" ? body.sees : null,
    engine: Object.entries(body?.engine ?? {}).map(([stage, model]) => [stage, String(model)]),
  };
}

/**
 * Is the server ready for calls?
 * @returns {Promise<{ready: boolean, failed: boolean, progress: string}>}
 */
export async function fetchHealth() {
  const response = await ask("healthz");
  let body = {};
  try {
    body = await response.json();
  } catch {
    // an old or foreign server: its status alone has to do
  }
  const status = text(body?.status, response.ok ? "ready" : "starting");
  return { ready: status === "ready", failed: status === "failed", progress: text(body?.progress) };
}

/**
 * A short-lived key for one call.
 * @returns {Promise<{value: string, iceServers: RTCIceServer[]}>}
 */
export async function fetchSecret() {
  const response = await ask("v1/realtime/client_secrets", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ session: { type: "realtime" } }),
  });
  if (!response.ok) throw await fromResponse(response);
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
  if (!response.ok) throw await fromResponse(response);
  const location = response.headers.get("Location");
  return { sdp: await response.text(), location: location ? new URL(location, response.url).href : null };
}

/** Tell the server that the call is over; must also work while the page is being closed. */
export function endCall(location, secret) {
  // A foreign Location would be sent our key: only our own server gets it.
  if (!location || new URL(location).origin !== window.location.origin) return;
  fetch(location, { method: "DELETE", headers: { Authorization: `Bearer ${secret}` }, keepalive: true })
    .catch(() => undefined); // the server notices a closed line by itself
}
