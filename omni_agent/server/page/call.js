// One call, over one link after another: audio (and video) and the `oai-events` data channel.
// Knows nothing of the page; it dispatches
//   state      {state: "asking"|"connecting"|"live"|"reconnecting"|"ended", problem?: Problem}
//   countdown  {secondsLeft: number}  while reconnecting, once a second
//   message    a parsed server event, each once
//   quality    {rttMs: number|null, lossPercent: number, jitterMs: number}
//   remote     the agent's MediaStream
// No sound for 3 s is a lost line: then the call is offered to the server anew, over another
// link, until one of the two comes up or 30 s are over. The server keeps the call as long.

import { Gone, endCall, fetchSecret, placeCall, renewCall } from "./api.js";
import { Link } from "./link.js";
import { Problem, lost, unconnected, unusable } from "./problems.js";
import { Silence } from "./silence.js";

const CONNECT_TIMEOUT_MS = 15_000; // the server's own deadline for a call to connect
const WATCH_MS = 500;
const QUALITY_EVERY = 4; // looks at the line
const STALLED_S = 3;
const LOST_S = 30; // RFC 7675; the server's limit, too
const ATTEMPT_MS = 8_000; // for a new link to come up
const AGAIN_MS = 1_000; // after a failed attempt
const REMEMBERED = 512; // events that may come again over the next link

export class Call extends EventTarget {
  #link = null; // the one in use
  #next = null; // offered, not up yet
  #tracks = { audio: null, video: null }; // what is sent
  #goodbye = false; // the server said it
  #iceServers = [];
  #secret = null;
  #location = null;
  #timers = new Set();
  #silence = new Silence();
  #looks = 0;
  #lookedAt = 0;
  #left = 0;
  #known = new Set();
  state = "idle";

  /**
   * @param {{persona: string|null, audio: () => Promise<MediaStreamTrack>, video?: MediaStreamTrack|null}} wanted
   *   `audio` opens the microphone; it runs first, so that a refusal costs the server nothing.
   */
  async start({ persona, audio, video = null }) {
    try {
      this.#enter("asking");
      const track = await audio();
      if (this.state === "ended") return track.stop();
      this.#tracks = { audio: track, video };
      this.#enter("connecting");
      await this.#connect(persona);
    } catch (error) {
      this.#finish(error instanceof Problem ? error : unusable("The browser could not set up the call.", error));
    }
  }

  async #connect(persona) {
    const { value, iceServers } = await fetchSecret();
    if (this.state === "ended") return;
    this.#secret = value;
    this.#iceServers = iceServers;
    this.#link = this.#newLink();
    const answer = await placeCall(await this.#offer(this.#link), value, persona);
    this.#location = answer.location;
    if (this.state === "ended") return endCall(answer.location, value);
    try {
      await this.#link.accept(answer.sdp);
    } catch (error) {
      throw unusable("The browser could not use the server's answer to the call.", error);
    }
    this.#after(CONNECT_TIMEOUT_MS, () => {
      if (this.state === "connecting") this.#finish(unconnected());
    });
  }

  #newLink() {
    const link = new Link({ iceServers: this.#iceServers, audio: this.#tracks.audio });
    link.addEventListener("message", ({ detail }) => this.#receive(detail));
    link.addEventListener("open", () => this.#use(link));
    link.addEventListener("remote", ({ detail }) => {
      link.stream = detail;
      if (link === this.#link) this.#dispatch("remote", detail);
    });
    link.addEventListener("failed", () => {
      if (link === this.#next) this.#giveUp(link);
      else if (this.state === "connecting") this.#finish(unconnected());
      else this.#reconnect(LOST_S - STALLED_S);
    });
    link.addEventListener("closed", () => {
      if (link === this.#next) this.#giveUp(link);
      else if (!this.#next || this.#goodbye) this.#closed();
      else if (this.state === "live") this.#enter("reconnecting"); // the server is on the next one already
    });
    return link;
  }

  async #offer(link) {
    if (this.#tracks.video) await link.sendVideo(this.#tracks.video);
    return link.offer();
  }

  /** This link is up: the call goes on over it. */
  #use(link) {
    const before = this.#link;
    if (link === this.#next) this.#next = null;
    this.#link = link;
    this.#silence = new Silence();
    link.send({ type: "session.update", session: { type: "realtime", omni: { extensions: true } } });
    if (before !== link) {
      before.close();
      if (link.stream) this.#dispatch("remote", link.stream);
    }
    const first = this.state === "connecting";
    if (this.state !== "live") this.#enter("live");
    if (first) this.#watch();
  }

  /** The server closed the line: it says goodbye, or it has given us up. */
  #closed() {
    if (this.state !== "live" && this.state !== "reconnecting") return this.#finish(unconnected());
    const stopped = performance.now() - this.#lookedAt > 1000 * STALLED_S; // the browser was
    this.#location = null; // it has forgotten the call
    const expected = this.#goodbye || (this.state === "live" && !stopped);
    this.#finish(expected ? null : lost());
  }

  #receive(event) {
    // What was under way when a link was lost is sent again over the next one.
    const id = event.event_id;
    if (id && this.#known.has(id)) return;
    if (id) this.#known.add(id);
    if (this.#known.size > REMEMBERED) this.#known.delete(this.#known.values().next().value);
    if (event.type === "omni.session.ended") this.#goodbye = true;
    this.#dispatch("message", event);
  }

  // -- the line -----------------------------------------------------------------

  #watch() {
    this.#lookedAt = performance.now();
    this.#after(WATCH_MS, async () => {
      const link = this.#link;
      const reading = await link.read().catch(() => null);
      if (this.state === "ended") return;
      if (reading && link === this.#link) this.#judge(reading);
      if (this.state !== "ended") this.#watch();
    });
  }

  #judge({ received, ...quality }) {
    const quiet = this.#silence.seconds(received, performance.now() / 1000);
    if (quiet >= LOST_S) return this.#finish(lost());
    if (quiet >= STALLED_S) return this.#reconnect(LOST_S - quiet);
    if (quiet === 0 && this.state === "reconnecting" && this.#link.open) this.#enter("live");
    if (this.#looks++ % QUALITY_EVERY === 0) this.#dispatch("quality", quality);
  }

  /** @param {number} left seconds until it is given up */
  #reconnect(left) {
    if (this.state === "live") {
      this.#left = 0;
      this.#enter("reconnecting");
      this.#offerAgain();
    }
    if (this.state !== "reconnecting" || Math.ceil(left) === this.#left) return;
    this.#left = Math.ceil(left);
    this.#dispatch("countdown", { secondsLeft: this.#left });
  }

  async #offerAgain() {
    if (this.#next || this.state !== "reconnecting") return;
    const next = this.#newLink();
    this.#next = next;
    this.#after(ATTEMPT_MS, () => this.#giveUp(next));
    try {
      await next.accept(await renewCall(this.#location, await this.#offer(next), this.#secret));
    } catch (error) {
      if (error instanceof Gone && this.#next === next && this.state === "reconnecting") {
        this.#location = null;
        return this.#finish(this.#goodbye ? null : lost());
      }
      this.#giveUp(next);
    }
  }

  #giveUp(link) {
    if (link !== this.#next) return;
    this.#next = null;
    link.close();
    this.#after(AGAIN_MS, () => this.#offerAgain());
  }

  // -- for the page ---------------------------------------------------------------

  /** The connection, for inspection. */
  get peer() {
    return this.#link?.peer ?? null;
  }

  /** Send a client event; false when the line is not up. */
  send(event) {
    return this.state === "live" && this.#link.send(event);
  }

  /** Speak through another microphone from now on. */
  async sendAudio(track) {
    this.#tracks.audio = track;
    await Promise.all([this.#link?.sendAudio(track), this.#next?.sendAudio(track)]);
  }

  /** Show the camera (or, with null, stop showing it). */
  async sendVideo(track) {
    this.#tracks.video = track;
    await Promise.all([this.#link?.sendVideo(track), this.#next?.sendVideo(track)]);
  }

  /** End the call on purpose. Idempotent; also right for a page that is going away. */
  hangUp() {
    this.#finish(null);
  }

  #finish(problem) {
    if (this.state === "ended" || this.state === "idle") return;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    if (this.#location) endCall(this.#location, this.#secret);
    this.#next?.close();
    this.#link?.close();
    this.#enter("ended", problem);
  }

  #after(ms, work) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, ms);
    this.#timers.add(timer);
  }

  #enter(state, problem = null) {
    this.state = state;
    this.#dispatch("state", { state, problem });
  }

  #dispatch(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
