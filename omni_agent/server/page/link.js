// One peer connection of a call; the call outlives it. Dispatches
//   open     the data channel can be written to
//   message  a parsed server event
//   remote   the agent's MediaStream
//   failed   the browser gave the connection up
//   closed   the server closed it

const VIDEO_FPS = 5; // the server keeps the latest frame only
const VIDEO_BITRATE = 400_000;

export class Link extends EventTarget {
  #audio;
  #video;
  #channel;
  #retired = false;
  #closed = false;
  #previous = { lost: 0, received: 0 };

  /** @param {{iceServers: RTCIceServer[], audio: MediaStreamTrack}} wanted */
  constructor({ iceServers, audio }) {
    super();
    const peer = new RTCPeerConnection({ iceServers });
    this.peer = peer;
    this.#audio = peer.addTransceiver(audio, { direction: "sendrecv" }).sender;
    // Always offered, so that the camera can come and go without another offer.
    this.#video = peer.addTransceiver("video", { direction: "sendonly" }).sender;
    peer.addEventListener("track", ({ track, streams }) => {
      if (track.kind === "audio") this.#tell("remote", streams[0] ?? new MediaStream([track]));
    });
    peer.addEventListener("connectionstatechange", () => {
      if (peer.connectionState === "failed") this.#tell("failed");
      else if (peer.connectionState === "closed") this.#end();
    });
    this.#channel = peer.createDataChannel("oai-events");
    this.#channel.addEventListener("open", () => this.#tell("open"));
    this.#channel.addEventListener("close", () => this.#end());
    this.#channel.addEventListener("message", ({ data }) => this.#receive(data));
  }

  /** The SDP offer. Without candidates: the server learns ours from our checks. */
  async offer() {
    await this.peer.setLocalDescription();
    return this.peer.localDescription.sdp;
  }

  async accept(sdp) {
    await this.peer.setRemoteDescription({ type: "answer", sdp });
  }

  /** Can it be written to? */
  get open() {
    return this.#channel.readyState === "open";
  }

  send(event) {
    if (!this.open) return false;
    this.#channel.send(JSON.stringify(event));
    return true;
  }

  async sendAudio(track) {
    if (this.#retired) return;
    await this.#audio.replaceTrack(track);
  }

  /** Show the camera (or, with null, stop showing it). */
  async sendVideo(track) {
    if (this.#retired) return;
    await this.#video.replaceTrack(track);
    if (!track) return;
    const parameters = this.#video.getParameters();
    for (const encoding of parameters.encodings ?? []) {
      encoding.maxFramerate = VIDEO_FPS;
      encoding.maxBitrate = VIDEO_BITRATE;
    }
    // Limits are a courtesy: before negotiation some browsers refuse them, and the
    // capture itself is at most 5 fps.
    await this.#video.setParameters(parameters).catch(() => undefined);
  }

  /**
   * How the line is doing; loss since the last reading.
   * @returns {Promise<{received: number, rttMs: number|null, lossPercent: number, jitterMs: number}>}
   *   received: audio packets so far
   */
  async read() {
    let rttMs = null;
    let [received, lostPackets, jitterMs] = [0, 0, 0];
    for (const entry of (await this.peer.getStats()).values()) {
      if (entry.type === "candidate-pair" && entry.nominated && entry.currentRoundTripTime !== undefined) {
        rttMs = entry.currentRoundTripTime * 1000;
      } else if (entry.type === "inbound-rtp" && entry.kind === "audio") {
        received = entry.packetsReceived ?? 0;
        lostPackets = entry.packetsLost ?? 0;
        jitterMs = (entry.jitter ?? 0) * 1000;
      }
    }
    const fresh = Math.max(0, received - this.#previous.received);
    const gone = Math.max(0, lostPackets - this.#previous.lost);
    this.#previous = { lost: lostPackets, received };
    return { received, rttMs, lossPercent: fresh + gone ? (100 * gone) / (fresh + gone) : 0, jitterMs };
  }

  /** Nothing is dispatched any more. */
  close() {
    this.#retired = true;
    this.#channel.close();
    this.peer.close();
  }

  /** Its channel and its connection end one after the other. */
  #end() {
    if (!this.#closed) this.#tell("closed");
    this.#closed = true;
  }

  #receive(data) {
    let event;
    try {
      event = JSON.parse(data);
    } catch {
      return; // not for us
    }
    if (event && typeof event.type === "string") this.#tell("message", event);
  }

  #tell(type, detail = null) {
    if (!this.#retired) this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
