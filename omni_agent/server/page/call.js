// One call: WebRTC audio (and video) and the `oai-events` data channel. Knows nothing of
// the page; it dispatches
//   state    {state: "asking"|"connecting"|"live"|"ended", problem?: Problem}
//   message  a parsed server event
//   quality  {rttMs: number|null, lossPercent: number, jitterMs: number}
//   remote   the agent's MediaStream

import { endCall, fetchSecret, placeCall } from "./api.js";
import { Problem, lost, unconnected } from "./problems.js";

const CONNECT_TIMEOUT_MS = 15_000; // the server's own deadline for a call to connect
const GRACE_MS = 4_000; // ICE often recovers from "disconnected" within a second or two
const QUALITY_EVERY_MS = 2_000;
const VIDEO_FPS = 5; // the server keeps the latest frame only
const VIDEO_BITRATE = 400_000;

export class Call extends EventTarget {
  #peer = null;
  #channel = null;
  #secret = null;
  #location = null;
  #timers = new Set();
  #previous = { lost: 0, received: 0 };
  #audioSender = null;
  #videoSender = null;
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
      this.#enter("connecting");
      await this.#connect(track, video, persona);
    } catch (error) {
      this.#finish(error instanceof Problem ? error : new Problem("refused", "The call could not be set up.",
        `The browser said: ${error?.message ?? error}`));
    }
  }

  async #connect(track, video, persona) {
    const { value, iceServers } = await fetchSecret();
    if (this.state === "ended") return;
    this.#secret = value;
    const peer = new RTCPeerConnection({ iceServers });
    this.#peer = peer;
    this.#audioSender = peer.addTransceiver(track, { direction: "sendrecv" }).sender;
    // Always offered, so that the camera can come and go without another offer.
    this.#videoSender = peer.addTransceiver("video", { direction: "sendonly" }).sender;
    if (video) await this.sendVideo(video);
    peer.addEventListener("track", ({ track: incoming, streams }) => {
      if (incoming.kind === "audio") this.#dispatch("remote", streams[0] ?? new MediaStream([incoming]));
    });
    peer.addEventListener("connectionstatechange", () => this.#watch());
    this.#openChannel(peer);
    await peer.setLocalDescription();
    // Posted without waiting for candidates: the server learns ours from our checks.
    const answer = await placeCall(peer.localDescription.sdp, value, persona);
    this.#location = answer.location;
    if (this.state === "ended") return endCall(answer.location, value);
    try {
      await peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    } catch (error) {
      throw new Problem("refused", "The server's answer to the call could not be used.", String(error?.message ?? error));
    }
    this.#after(CONNECT_TIMEOUT_MS, () => {
      if (this.state === "connecting") this.#finish(unconnected());
    });
  }

  #openChannel(peer) {
    const channel = peer.createDataChannel("oai-events");
    this.#channel = channel;
    channel.addEventListener("open", () => {
      this.send({ type: "session.update", session: { type: "realtime", omni: { extensions: true } } });
      this.#enter("live");
      this.#pollQuality();
    });
    channel.addEventListener("message", ({ data }) => {
      let event;
      try {
        event = JSON.parse(data);
      } catch {
        return; // not for us
      }
      if (event && typeof event.type === "string") this.#dispatch("message", event);
    });
    // The server closes the channel when it says goodbye, and has forgotten the call then;
    // a broken line shows in the connection's state first.
    channel.addEventListener("close", () => {
      const goodbye = this.state === "live";
      if (goodbye) this.#location = null;
      this.#finish(goodbye ? null : unconnected());
    });
  }

  #watch() {
    const now = this.#peer?.connectionState;
    if (now === "failed") this.#finish(this.state === "live" ? lost() : unconnected());
    else if (now === "closed") this.#finish(null);
    else if (now === "disconnected") {
      this.#after(GRACE_MS, () => {
        if (this.#peer?.connectionState === "disconnected") this.#finish(lost());
      });
    }
  }

  /** The connection, for inspection. */
  get peer() {
    return this.#peer;
  }

  /** Send a client event; false when the line is not up. */
  send(event) {
    if (this.#channel?.readyState !== "open") return false;
    this.#channel.send(JSON.stringify(event));
    return true;
  }

  /** Speak through another microphone from now on. */
  async sendAudio(track) {
    await this.#audioSender?.replaceTrack(track);
  }

  /** Show the camera (or, with null, stop showing it). */
  async sendVideo(track) {
    const sender = this.#videoSender;
    if (!sender) return;
    await sender.replaceTrack(track);
    if (!track) return;
    const parameters = sender.getParameters();
    for (const encoding of parameters.encodings ?? []) {
      encoding.maxFramerate = VIDEO_FPS;
      encoding.maxBitrate = VIDEO_BITRATE;
    }
    // Limits are a courtesy: before negotiation some browsers refuse them, and the
    // capture itself is at most 5 fps.
    await sender.setParameters(parameters).catch(() => undefined);
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
    this.#channel?.close();
    this.#peer?.close();
    this.#enter("ended", problem);
  }

  #pollQuality() {
    this.#after(QUALITY_EVERY_MS, async () => {
      const report = await this.#peer?.getStats().catch(() => null);
      if (this.state !== "live" || !report) return;
      this.#dispatch("quality", this.#readQuality(report));
      this.#pollQuality();
    });
  }

  #readQuality(report) {
    let rtt = null;
    let [received, lostPackets, jitter] = [0, 0, 0];
    for (const entry of report.values()) {
      if (entry.type === "candidate-pair" && entry.nominated && entry.currentRoundTripTime !== undefined) {
        rtt = entry.currentRoundTripTime * 1000;
      } else if (entry.type === "inbound-rtp" && entry.kind === "audio") {
        received = entry.packetsReceived ?? 0;
        lostPackets = entry.packetsLost ?? 0;
        jitter = (entry.jitter ?? 0) * 1000;
      }
    }
    const fresh = Math.max(0, received - this.#previous.received);
    const gone = Math.max(0, lostPackets - this.#previous.lost);
    this.#previous = { lost: lostPackets, received };
    return { rttMs: rtt, lossPercent: fresh + gone ? (100 * gone) / (fresh + gone) : 0, jitterMs: jitter };
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
