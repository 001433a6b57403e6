// How loud it is, in and out: one number between 0 and 1 each, for the meters and the orb.

const FLOOR_DB = -60; // quieter than this is silence
const CEILING_DB = -12; // a person speaking close to a microphone
const FALL = 0.82; // per frame: quick to rise, slow to fall, as meters are read

class Level {
  #analyser;
  #source;
  #samples;
  #value = 0;

  constructor(context, stream) {
    this.#analyser = new AnalyserNode(context, { fftSize: 1024 });
    this.#source = new MediaStreamAudioSourceNode(context, { mediaStream: stream });
    this.#source.connect(this.#analyser);
    this.#samples = new Float32Array(this.#analyser.fftSize);
  }

  read() {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (const sample of this.#samples) sum += sample * sample;
    const db = 10 * Math.log10(sum / this.#samples.length + 1e-12);
    const now = Math.min(1, Math.max(0, (db - FLOOR_DB) / (CEILING_DB - FLOOR_DB)));
    this.#value = Math.max(now, this.#value * FALL);
    return this.#value;
  }

  close() {
    this.#source.disconnect();
  }
}

/** Levels of what goes in and what comes out; streams may be replaced at any time. */
export class Meters {
  #context = null;
  #levels = { in: null, out: null };

  /** Call from a click: browsers start audio only then. */
  get context() {
    this.#context ??= new AudioContext({ latencyHint: "interactive" });
    this.#context.resume().catch(() => undefined);
    return this.#context;
  }

  /** @param {"in"|"out"} side @param {MediaStream|null} stream */
  attach(side, stream) {
    this.#levels[side]?.close();
    this.#levels[side] = stream?.getAudioTracks().length ? new Level(this.context, stream) : null;
  }

  /** @returns {{in: number, out: number}} each 0 (silence) to 1 (loud) */
  read() {
    return { in: this.#levels.in?.read() ?? 0, out: this.#levels.out?.read() ?? 0 };
  }

  close() {
    this.attach("in", null);
    this.attach("out", null);
  }
}
