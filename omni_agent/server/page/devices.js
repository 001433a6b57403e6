// Microphones, speakers and the camera: opening them, listing them, remembering the choice.

import { keep, recall } from "./memory.js";
import { Problem, fromCamera, fromMicrophone, insecure } from "./problems.js";

const PROCESSING = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
const CAMERA = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 5, max: 5 } };
const CAMERA_ANY_RATE = { width: { ideal: 640 }, height: { ideal: 480 } };

function media() {
  if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) throw insecure();
  return navigator.mediaDevices;
}

/** The microphone with this id ("" is the default). Throws a Problem. */
export async function openMicrophone(deviceId = "") {
  const devices = media();
  try {
    const wanted = deviceId ? { ...PROCESSING, deviceId: { exact: deviceId } } : PROCESSING;
    const stream = await devices.getUserMedia({ audio: wanted });
    return stream.getAudioTracks()[0];
  } catch (error) {
    throw error instanceof Problem ? error : fromMicrophone(error);
  }
}

/** The camera, small and slow: at most 5 pictures a second. Throws a Problem. */
export async function openCamera() {
  const devices = media();
  try {
    let stream;
    try {
      stream = await devices.getUserMedia({ video: CAMERA });
    } catch (error) {
      // Some cameras cannot go that slow; the sender thins the frames out then.
      if (error?.name !== "OverconstrainedError") throw error;
      stream = await devices.getUserMedia({ video: CAMERA_ANY_RATE });
    }
    return stream.getVideoTracks()[0];
  } catch (error) {
    throw error instanceof Problem ? error : fromCamera(error);
  }
}

/** A track of silence, for a call taken by typing. */
export function silentTrack(context) {
  return context.createMediaStreamDestination().stream.getAudioTracks()[0];
}

/** The two selects of the settings dialog. `onMicrophone(id)` and `onSpeaker(id)` follow changes. */
export class DeviceChoice {
  constructor({ microphone, speaker, speakerField, hint, audio, onMicrophone, onSpeaker }) {
    Object.assign(this, { microphone, speaker, hint });
    // Without setSinkId the system decides where sound goes.
    speakerField.hidden = typeof audio.setSinkId !== "function";
    microphone.addEventListener("change", () => {
      keep("microphone", microphone.value);
      onMicrophone(microphone.value);
    });
    speaker.addEventListener("change", () => {
      keep("speaker", speaker.value);
      onSpeaker(speaker.value);
    });
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.refresh());
  }

  get microphoneId() {
    return this.microphone.value;
  }

  get speakerId() {
    return this.speaker.value;
  }

  /** Read the devices again; names are only known once the microphone was allowed. */
  async refresh() {
    const all = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
    fill(this.microphone, "Default microphone", recall("microphone"), all.filter((one) => one.kind === "audioinput"));
    fill(this.speaker, "Default speaker", recall("speaker"), all.filter((one) => one.kind === "audiooutput"));
    this.hint.hidden = all.some((one) => one.label);
  }
}

function fill(select, first, chosen, devices) {
  const named = devices.filter((one) => one.deviceId && one.deviceId !== "default" && one.label);
  select.replaceChildren(new Option(first, ""), ...named.map((one) => new Option(one.label, one.deviceId)));
  select.value = named.some((one) => one.deviceId === chosen) ? chosen : "";
}

/** How loud the agent is: a slider, and the choice kept. */
export class Volume {
  /** @param {{slider: HTMLInputElement, field: HTMLElement, audio: HTMLAudioElement}} parts */
  constructor({ slider, field, audio }) {
    const kept = Number.parseInt(recall("volume"), 10);
    if (kept >= 0 && kept <= 100) slider.value = String(kept);
    const apply = () => {
      audio.volume = Number(slider.value) / 100;
      slider.setAttribute("aria-valuetext", `${slider.value} %`);
    };
    slider.addEventListener("input", apply);
    slider.addEventListener("change", () => keep("volume", slider.value));
    // Some phones leave the volume to their keys, and ignore what a page asks for.
    audio.volume = 0.5;
    field.hidden = audio.volume !== 0.5;
    apply();
  }
}
