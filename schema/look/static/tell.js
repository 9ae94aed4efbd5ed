// Copies a text when a button marked data-copy is pressed; one that sends a form sends it as well. Without it the text is
// marked and copied by hand.
(() => {
  "use strict";
  const said = document.querySelector("[data-copy-say]");
  const copy = (field) => {
    field.select();
    // What a page without a trusted certificate may still do; the newer way asks for one.
    if (document.execCommand("copy")) return Promise.resolve();
    return navigator.clipboard ? navigator.clipboard.writeText(field.value) : Promise.reject(new Error("no clipboard"));
  };
  document.addEventListener("click", (e) => {
    const button = e.target instanceof Element && e.target.closest("[data-copy]");
    if (!button) return;
    const field = document.getElementById(button.dataset.copy);
    if (!field) return;
    copy(field).then(() => { if (said) said.hidden = false; }, () => field.select());
  });
})();
