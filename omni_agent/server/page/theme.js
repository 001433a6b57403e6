// The colour theme: automatic, light or dark. A classic script in <head>, so that the
// choice is in force before the first paint.
(() => {
  "use strict";
  const KEY = "omni_agent.theme";
  const ORDER = ["auto", "light", "dark"];
  const NAMES = { auto: "automatic", light: "light", dark: "dark" };
  const root = document.documentElement;

  function stored() {
    try {
      const value = localStorage.getItem(KEY);
      return ORDER.includes(value) ? value : "auto";
    } catch {
      return "auto"; // storage is blocked: the page still works
    }
  }

  function apply(theme) {
    if (theme === "auto") root.removeAttribute("data-theme");
    else root.dataset.theme = theme;
    const label = document.querySelector("#theme .sr");
    if (label) label.textContent = `Theme: ${NAMES[theme]}`;
    document.getElementById("theme")?.setAttribute("title", `Theme: ${NAMES[theme]}`);
    root.dispatchEvent(new Event("themechange"));
  }

  let theme = stored();
  apply(theme);
  document.addEventListener("DOMContentLoaded", () => {
    apply(theme);
    document.getElementById("theme").addEventListener("click", () => {
      theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
      try {
        localStorage.setItem(KEY, theme);
      } catch {
        // not kept for next time, that is all
      }
      apply(theme);
    });
  });
})();
