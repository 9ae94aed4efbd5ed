// The search box: results as typed under it, and the scanner, which is a keyboard. Without this file the box is a plain
// form. The focus stays in the box; the chosen row is told by aria-activedescendant (ARIA combobox with a listbox).
(() => {
  "use strict";

  const PAUSE = 120;  // ms without a key before the site is asked
  const BURST = 60;   // ms between two keys of a scanner at most: nobody types a whole number so fast
  const NUMBER = /^[a-z][a-z0-9]{1,7}[a-hjkmnp-z]-\d{6}-\d{4,7}-[0-9a-z]$/i; // of an order, as its job card has it

  const box = document.getElementById("q"), list = document.getElementById("found"), said = document.getElementById("found-said");
  const form = box && box.form;
  const inField = (el) => !!el && (el.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName));

  const rows = () => Array.from(list.querySelectorAll("[role=option]"));
  const chosen = () => list.querySelector("[role=option][aria-selected=true]");
  const choose = (row) => {
    for (const r of rows()) r.setAttribute("aria-selected", String(r === row));
    if (!row) { box.removeAttribute("aria-activedescendant"); return; }
    box.setAttribute("aria-activedescendant", row.id);
    row.scrollIntoView({ block: "nearest" });
  };
  const go = (row) => location.assign(row.dataset.href);

  let asking = null;   // the request on its way: the next one ends it, so that answers never come out of order
  let pause = 0;
  let shown = null;    // what the list is about; null: it is closed

  const close = () => {
    const was = shown !== null;
    clearTimeout(pause);
    if (asking) asking.abort();
    asking = shown = null;
    list.replaceChildren();
    said.textContent = "";
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
    return was;
  };

  const ask = async () => {
    const text = box.value.trim();
    if (text === shown) return;
    if (!text) { close(); return; }
    if (asking) asking.abort();
    const mine = asking = new AbortController();
    try {
      const res = await fetch(form.action + "?" + new URLSearchParams({ q: text }), { headers: { "HX-Request": "true" }, signal: mine.signal });
      if (res.status === 401) { location.reload(); return; }
      if (!res.ok) throw new Error(String(res.status));
      const html = await res.text();
      if (mine !== asking) return;
      asking = null;
      if (document.activeElement !== box) return; // gone on meanwhile: nothing opens under their hands
      list.innerHTML = html;
      shown = text;
      const drop = list.firstElementChild;
      said.textContent = drop ? drop.dataset.say : "";
      box.setAttribute("aria-expanded", String(rows().length > 0));
      box.removeAttribute("aria-activedescendant");
    } catch (e) {
      if (mine === asking) close(); // the site cannot be reached: Enter still asks it, and the browser says so
    }
  };

  const typed = (e) => {
    if (e.isComposing) return; // letters on their way to be characters
    clearTimeout(pause);
    if (!box.value.trim()) { close(); return; }
    pause = setTimeout(ask, PAUSE);
  };

  const key = (e) => {
    if (e.isComposing || e.altKey || e.ctrlKey || e.metaKey) return;
    const all = rows(), at = all.indexOf(chosen());
    if (e.key === "ArrowDown" && all.length) choose(all[Math.min(at + 1, all.length - 1)]);
    else if (e.key === "ArrowUp" && all.length) choose(at > 0 ? all[at - 1] : null);
    else if (e.key === "Enter" && at >= 0) go(all[at]);
    else if (e.key === "Enter" && all.length === 1 && shown === box.value.trim()) go(all[0]);
    else if (e.key !== "Escape" || !close()) return;
    e.preventDefault();
    e.stopPropagation();
  };

  if (box && list) {
    box.addEventListener("input", typed);
    box.addEventListener("compositionend", typed);
    box.addEventListener("keydown", key);
    box.addEventListener("focus", () => { if (box.value.trim() && box.value !== box.defaultValue) typed({}); });
    form.addEventListener("focusout", (e) => { if (!form.contains(e.relatedTarget)) close(); });
    form.addEventListener("submit", () => { if (asking) asking.abort(); });
    list.addEventListener("mousedown", (e) => e.preventDefault()); // the focus stays in the box
    list.addEventListener("click", (e) => {
      const row = e.target.closest("[role=option]");
      if (row && (e.ctrlKey || e.metaKey)) window.open(row.dataset.href, "_blank", "noopener");
      else if (row) go(row);
    });
  }
  if (!form || form.dataset.scan === undefined) return;

  // The scanner, at a branch: headquarters has no job cards, and questions there are answered by single keys, quickly. Its
  // keys come faster than anybody's and end in Enter. Where no field has the focus they are no letters of the page; in a
  // field they are taken out again, and what was half-written there stays: then the order is offered in the box instead of
  // opened.
  let burst = "", last = 0, before = null;

  const changed = (el) => {
    if (el.type === "checkbox" || el.type === "radio") return el.checked !== el.defaultChecked;
    if (el.options) return el.selectedIndex !== Math.max(0, Array.from(el.options).findIndex((o) => o.defaultSelected));
    return "defaultValue" in el && el.type !== "hidden" && el.value !== el.defaultValue;
  };

  document.addEventListener("keydown", (e) => {
    if (e.isComposing || e.altKey || e.ctrlKey || e.metaKey) { burst = ""; return; }
    const at = document.activeElement, fast = e.timeStamp - last <= BURST;
    if (/^[0-9a-z-]$/i.test(e.key)) {
      if (!fast || !burst) {
        burst = "";
        before = inField(at) && "value" in at ? { field: at, value: at.value } : null;
      }
      burst += e.key;
      last = e.timeStamp;
      if (burst.length > 1 && !inField(at)) { e.preventDefault(); e.stopImmediatePropagation(); }
      return;
    }
    if (e.key === "Shift" || e.key === "CapsLock") return;
    const number = burst;
    burst = "";
    if (e.key !== "Enter" || !fast || !NUMBER.test(number)) return;
    e.preventDefault();
    e.stopImmediatePropagation();
    if (before && before.field !== box) {
      before.field.value = before.value;
      before.field.dispatchEvent(new Event("input", { bubbles: true }));
      if (before.field.form && Array.from(before.field.form.elements).some(changed)) {
        box.value = number;
        box.focus();
        if (list) ask();
        return;
      }
    }
    location.assign(form.action + "?" + new URLSearchParams({ q: number }));
  }, true);
})();
