// How long a technician has been at a line, by the second. Without this file the page says it by the minute.
(() => {
  "use strict";

  const two = (n) => String(n).padStart(2, "0");
  let ahead = null; // of the branch's clock, ms

  const show = () => {
    document.querySelectorAll("[data-since]").forEach((el) => {
      if (ahead === null) ahead = Date.now() - Number(el.dataset.now);
      const seconds = Math.max(0, Math.floor((Date.now() - ahead - Number(el.dataset.since)) / 1000));
      const text = Math.floor(seconds / 3600) + ":" + two(Math.floor(seconds / 60) % 60) + ":" + two(seconds % 60);
      if (el.textContent !== text) el.textContent = text;
    });
  };
  show();
  setInterval(show, 1000);
  // What arrives says it by the minute, too.
  const run = document.getElementById("live-run");
  if (run) new MutationObserver(show).observe(run, { childList: true, subtree: true, characterData: true });
})();
