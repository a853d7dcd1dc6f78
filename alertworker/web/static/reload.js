// Loads a page anew that asks for it, while somebody looks at it and types nothing. Everything works without this.
"use strict";
const main = document.querySelector("main[data-reload]");
if (main) {
  setInterval(() => {
    const busy = document.activeElement && /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (document.visibilityState === "visible" && !busy && !document.querySelector("details[open]")) location.reload();
  }, Number(main.dataset.reload) * 1000);
}
