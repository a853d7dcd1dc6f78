// Reloads the overview while it is visible and the user has no field focused and nothing expanded. Optional.
"use strict";
const main = document.querySelector("main[data-reload]");
if (main) {
  setInterval(() => {
    const busy = document.activeElement && /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (document.visibilityState === "visible" && !busy && !document.querySelector("details[open]")) location.reload();
  }, Number(main.dataset.reload) * 1000);
}
