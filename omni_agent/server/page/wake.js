// Keeps a phone's screen on during a call: a screen that sleeps takes the microphone with it.

export class WakeLock {
  #wanted = false;
  #lock = null;

  constructor() {
    // The browser lets go of the lock whenever the page is hidden.
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible" && this.#wanted) this.#take();
    });
  }

  hold() {
    this.#wanted = true;
    this.#take();
  }

  release() {
    this.#wanted = false;
    this.#lock?.release().catch(() => undefined);
    this.#lock = null;
  }

  async #take() {
    try {
      const lock = await navigator.wakeLock?.request("screen");
      if (this.#wanted) this.#lock = lock ?? null;
      else lock?.release().catch(() => undefined);
    } catch {
      // low battery, or not allowed: the call goes on
    }
  }
}
