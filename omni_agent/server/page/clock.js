// Durations as a clock shows them, and the server's time where it differs from ours.

const TRUSTED_MS = 3_000; // an HTTP date is cut to whole seconds and travels a while

let aheadMs = 0;

/** Learn from a response's Date how far the server's clock is from this browser's. @param {Response} response */
export function learnClock(response) {
  const sent = Date.parse(response.headers.get("Date") ?? "");
  if (!Number.isFinite(sent)) return;
  const ahead = sent + 500 - Date.now();
  aheadMs = Math.abs(ahead) > TRUSTED_MS ? ahead : 0;
}

/** Seconds until this moment of the server's clock, at least 0. @param {number} epoch seconds since 1970 */
export function secondsUntil(epoch) {
  return Math.max(0, epoch - (Date.now() + aheadMs) / 1000);
}

/** 65 → "1:05", 3665 → "1:01:05" */
export function clockText(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const pad = (value) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}
