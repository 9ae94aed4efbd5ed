// Keys for people who do not reach for the mouse. Every page works without this file; it adds nothing that a link or a
// button does not also do. Letters act only while no field has the focus.
(() => {
  "use strict";

  const byId = (id) => document.getElementById(id);
  const inField = (el) => !!el && (el.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName));
  const shown = (el) => !!el && el.getClientRects().length > 0;

  // A page of results: arrows walk the links marked data-hit.
  const walk = (step) => {
    const all = Array.from(document.querySelectorAll("[data-hit]")).filter(shown);
    if (!all.length) return false;
    const at = all.indexOf(document.activeElement);
    const next = at + step;
    if (at < 0 && step < 0) return false;
    if (next < 0) { const box = byId("q"); if (box) box.focus(); return true; }
    (all[next] || all[all.length - 1]).focus();
    return true;
  };

  const press = (el) => {
    if (!shown(el)) return false;
    if (inField(el)) el.focus(); else el.click();
    return true;
  };

  // Of several with one key, that of the row in which the focus is.
  const keyed = (key) => {
    const all = Array.from(document.querySelectorAll("[data-key]"))
      .filter((el) => el.dataset.key.toLowerCase() === key.toLowerCase() && shown(el));
    const row = document.activeElement && document.activeElement.closest("[data-row]");
    return (row && all.find((el) => row.contains(el))) || all[0];
  };

  // F2: somebody else takes over this browser by PIN, over the page as it stands and with what is typed in it.
  const desk = byId("desk");
  const showDesk = (html) => {
    desk.innerHTML = html;
    if (!desk.open) desk.showModal();
    const field = desk.querySelector("[autofocus]") || desk.querySelector("a, button");
    if (field) field.focus();
  };
  const askDesk = async (link) => {
    const answer = await fetch(link.href, { headers: { "HX-Request": "true" } });
    if (!answer.ok) { location.assign(link.href); return; }
    showDesk(await answer.text());
  };
  const takeDesk = async (form) => {
    const answer = await fetch(form.action, { method: "POST", headers: { "HX-Request": "true" }, body: new URLSearchParams(new FormData(form)) });
    const text = await answer.text();
    const home = answer.headers.get("Desk");
    if (!home) {
      if (answer.ok) showDesk(text); else form.submit(); // the page of its own says what is wrong
      return;
    }
    desk.close();
    const menu = document.querySelector("details.me summary");
    if (menu) menu.innerHTML = text;
    document.dispatchEvent(new CustomEvent("desk-taken", { detail: home })); // the page is asked for anew, with what is typed in it (keep.js)
  };
  if (desk) desk.addEventListener("submit", (e) => {
    e.preventDefault();
    takeDesk(e.target).catch(() => e.target.submit());
  });
  const openDesk = () => {
    const link = document.querySelector("a[data-desk]");
    if (!desk || !link) return false;
    askDesk(link).catch(() => location.assign(link.href));
    return true;
  };

  document.addEventListener("keydown", (e) => {
    if (e.key === "F2" && openDesk()) { e.preventDefault(); return; }
    if (document.querySelector("dialog[open]")) return; // a sheet has its own keys
    if (e.isComposing || e.defaultPrevented) return; // a pinyin candidate list owns the arrows and Enter
    const at = document.activeElement;
    const field = inField(at);
    const box = byId("q");
    const done = (yes) => { if (yes) e.preventDefault(); };

    if (e.altKey && !e.ctrlKey && !e.metaKey && /^Digit[1-7]$/.test(e.code)) {
      const link = document.querySelectorAll(".rail li:not(.more) a")[Number(e.code.slice(5)) - 1];
      if (link) { e.preventDefault(); link.click(); }
      return;
    }
    if (e.ctrlKey && e.key === "Enter" && field && at.form) {
      e.preventDefault();
      at.form.requestSubmit();
      return;
    }
    if (e.altKey || e.ctrlKey || e.metaKey) return;

    if (e.key === "Escape") {
      const menu = document.querySelector("details.me[open]");
      if (menu) { menu.open = false; menu.querySelector("summary").focus(); return; }
      if (field) { at.blur(); return; }
      const back = document.querySelector("[data-back]");
      if (back) back.click(); else if (history.length > 1) history.back();
      return;
    }
    if (box && at === box) {
      if (e.key === "ArrowDown") done(walk(1)); // the list under it has taken the arrows it can use (find.js)
      return;
    }
    if (field) return;
    if (e.key === "/" && box) { e.preventDefault(); box.focus(); box.select(); return; }
    if (e.key === "ArrowDown") { done(walk(1)); return; }
    if (e.key === "ArrowUp") { done(walk(-1)); return; }
    if (e.key.length === 1 && !e.shiftKey) {
      const el = keyed(e.key);
      if (el) done(press(el));
      else if (e.key.toLowerCase() === "p" && document.querySelector("[data-print]")) { e.preventDefault(); window.print(); }
    }
  });

  document.addEventListener("click", (e) => {
    if (!(e.target instanceof Element)) return;
    if (e.target.closest("[data-desk]") && openDesk()) { e.preventDefault(); return; }
    if (e.target.closest("[data-print]")) { window.print(); return; }
    const menu = document.querySelector("details.me[open]");
    if (menu && !menu.contains(e.target)) menu.open = false;
  });

  // A live part comes without what the reader has unfolded: it stays unfolded.
  if (window.htmx) window.htmx.registerExtension("unfolded", {
    htmx_before_morph_attr: (el, what) => !(what.attrName === "open" && el instanceof HTMLDetailsElement),
  });
})();
