// The login page works without this; a classic script in <head>, so that the colour theme
// is in force before the first paint.
(() => {
  "use strict";
  try {
    const theme = localStorage.getItem("omni_agent.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // storage is blocked: the automatic theme
  }
  // A link that carries a token from the operator's backend needs no key.
  if (location.hash.startsWith("#token=")) {
    location.replace(new URL(`index.html${location.hash}`, document.baseURI));
    return;
  }
  if (location.hash === "#out") {
    fetch(new URL("logout", document.baseURI), { method: "POST" }).catch(() => undefined);
    return;
  }
  // Who follows a link from another site comes without the (strict) cookie, once.
  fetch(new URL("v1/personas", document.baseURI), { cache: "no-store" })
    .then((response) => response.ok && location.replace("./"), () => undefined);
})();
