// Adds up what a customer says yes to, as they say it. Without it the page gives the sum of all that is asked.
(() => {
  "use strict";
  const form = document.querySelector("form.asks");
  const line = form && form.querySelector("[data-yes-sum]");
  if (!line) return;
  const out = line.querySelector("output");
  const show = () => {
    let minor = 0;
    for (const el of form.querySelectorAll("input[data-minor]:checked")) minor += Number(el.dataset.minor);
    const sign = minor < 0 ? "−" : "";
    minor = Math.abs(minor);
    const whole = String(Math.floor(minor / 100)).replace(/\B(?=(\d{3})+$)/g, ",");
    out.textContent = sign + whole + "." + String(minor % 100).padStart(2, "0");
  };
  line.hidden = false;
  form.addEventListener("change", show);
  show();
})();
