// What was typed is not lost with the network or the session. Before a form is sent the site is asked whether it is there
// and still knows who asks; if not, the page stays as it is, says so, and sends the form by itself once it can. A form
// that never arrived is filled in again when its page comes back in the same tab. The server does a form once however
// often it comes (request_id). When a page is asked for anew because its reader changed, what is typed in it stays, too.
(() => {
  "use strict";

  const say = document.getElementById("keep-say");
  const main = document.getElementById("main");
  if (!say || !main) return;
  const kept = "keep", turned = "turned";
  const here = () => location.pathname + location.search;
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  // there: the site answers and knows who asks; out: it does not know them; gone: it does not answer.
  const ask = async () => {
    try {
      const a = await fetch("/here", { cache: "no-store", redirect: "manual", headers: { "HX-Request": "true" }, signal: AbortSignal.timeout(4000) });
      return a.status === 401 || a.type === "opaqueredirect" ? "out" : "there";
    } catch { return "gone"; }
  };

  let note = null;
  const tell = (what) => {
    if (note && note.dataset.what === what) return;
    if (note) note.remove();
    note = null;
    const part = say.content.querySelector(`[data-what="${what}"]`);
    if (!part) return;
    note = document.importNode(part, true);
    main.prepend(note);
    note.scrollIntoView({ block: "nearest" });
  };

  // until waits for the site, and says meanwhile what it waits for.
  const until = async () => {
    for (let first = true; ; first = false) {
      const how = await ask();
      if (how === "there") { tell(""); return; }
      tell(how);
      if (first && how === "out") {
        const desk = document.querySelector("a[data-desk]");
        if (desk) desk.click();
      }
      await pause(1500);
    }
  };

  const fields = (form, by) => {
    const all = Array.from(new FormData(form)).filter(([, v]) => typeof v === "string");
    if (by && by.name) all.push([by.name, by.value]);
    return all;
  };
  const place = (form) => new URL(form.action).pathname;
  const secret = (form) => !!form.querySelector("input[type=password]");
  const keep = (form) => {
    if (secret(form)) return;
    try { sessionStorage.setItem(kept, JSON.stringify({ page: here(), to: place(form), fields: fields(form) })); } catch { /* full, or forbidden: the page itself still has it */ }
  };

  // upload sends a form with files, again when the network went. A site that is there and drops the form again and again
  // has its reason, such as its size: then the page stays with what was chosen, and says so. The browser sends only what
  // the site has answered, to show what it is told.
  const stuck = new Set();
  let leaving = false; // with what was sent
  const upload = async (form, by) => {
    stuck.delete(form);
    for (let tries = 0; tries < 3; tries++) {
      const body = new FormData(form);
      if (by && by.name) body.append(by.name, by.value);
      let a = null;
      try { a = await fetch(form.action, { method: "POST", body }); } catch { /* the network went: again */ }
      if (a && a.ok) {
        const to = new URL(a.url);
        leaving = true;
        if (to.pathname + to.search === here()) location.reload(); else location.assign(to);
        return true;
      }
      if (a && a.status !== 401) return false; // the server says why on a page of its own
      await until();
    }
    stuck.add(form);
    tell("stuck");
    return true;
  };

  const waiting = new Set();
  let through = null;
  document.addEventListener("submit", async (e) => {
    const form = e.target;
    if (form.method !== "post" || e.defaultPrevented || form === through || !main.contains(form) || form.closest("dialog")) return;
    e.preventDefault();
    if (waiting.has(form)) return;
    waiting.add(form);
    const by = e.submitter;
    form.setAttribute("aria-busy", "true");
    await until();
    form.removeAttribute("aria-busy");
    const done = form.enctype === "multipart/form-data" && await upload(form, by);
    waiting.delete(form);
    if (done) return;
    keep(form);
    through = form;
    if (by && by.isConnected) form.requestSubmit(by); else form.requestSubmit();
    through = null;
  });
  addEventListener("beforeunload", (e) => { if (!leaving && (waiting.size || stuck.size)) e.preventDefault(); });

  // What is hidden in a form says what it is about, unless it is marked as something that was typed (data-typed).
  const about = (el) => el.type === "hidden" && !("typed" in el.dataset);
  const again = (el) => el.name === "request_id" || el.name.startsWith("etag");
  // grow asks whoever keeps a list of the form for rows, one at a time, until it has those that were typed in.
  const grow = (form, name) => {
    while (/\.\d+\./.test(name) && !form.elements[name]) {
      const had = form.elements.length;
      form.dispatchEvent(new CustomEvent("keep-row", { detail: name }));
      if (form.elements.length === had) return;
    }
  };
  const fill = (form, values) => {
    for (const [k] of values) grow(form, k);
    const seen = {};
    for (const el of form.elements) {
      if (!el.name || el.type === "file" || el.type === "submit" || about(el) && !again(el)) continue;
      const mine = values.filter(([k]) => k === el.name).map(([, v]) => v);
      if (el.type === "checkbox" || el.type === "radio") { el.checked = mine.includes(el.value); continue; }
      const n = seen[el.name] = (seen[el.name] ?? -1) + 1;
      if (n < mine.length) el.value = mine[n];
    }
    form.dispatchEvent(new Event("keep-filled"));
  };

  const forms = () => Array.from(main.querySelectorAll("form")).filter((f) => f.method === "post" && !f.closest("dialog"));
  // Of several forms to one place it is the one about the same: what is hidden in it says so.
  const formOf = (was) => {
    const same = (el) => !about(el) || again(el) || was.fields.some(([k, v]) => k === el.name && v === el.value);
    return forms().find((f) => place(f) === was.to && Array.from(f.elements).every(same));
  };

  // The form of this page that was sent last and never arrived: the reader came back, or opened the page anew.
  const back = () => {
    let was = null;
    try {
      was = JSON.parse(sessionStorage.getItem(kept));
      sessionStorage.removeItem(kept);
    } catch { return; }
    const came = performance.getEntriesByType("navigation")[0];
    if (!was || was.page !== here() || !came) return;
    if (came.redirectCount > 0 || "sent" in main.dataset) return; // it arrived: its answer led here, or is this page
    if (came.type !== "back_forward" && !(came.type === "navigate" && !document.referrer)) return;
    const form = formOf(was);
    if (!form) return;
    fill(form, was.fields);
    tell("back");
  };

  // Another person has taken over this browser: the page is theirs at once, and what may not be theirs to see goes.
  const touched = (el) => {
    if (!el.name || el.type === "hidden") return false;
    if (el.type === "checkbox" || el.type === "radio") return el.checked !== el.defaultChecked;
    if (el.type === "file") return el.files.length > 0;
    if (el instanceof HTMLSelectElement) return Array.from(el.options).some((o) => o.selected !== o.defaultSelected);
    return "defaultValue" in el && el.value !== el.defaultValue;
  };
  // seen: the page is one that they may see. A network that is gone tells nothing: the browser says so itself.
  const seen = async () => {
    try { return ![403, 404, 405].includes((await fetch(here(), { cache: "no-store" })).status); } catch { return true; }
  };
  document.addEventListener("desk-taken", async (e) => {
    if (waiting.size) return; // a form under way brings the next page itself
    const all = forms();
    const typed = all.filter((f) => Array.from(f.elements).some(touched));
    // Files, a drawing, what a form does not say again and a form that was sent back stay where they are, and the page says so.
    const bound = (f) => secret(f) || f.querySelector("canvas") || Array.from(f.elements).some((el) => el.type === "file" && el.files.length > 0);
    const sent = "sent" in main.dataset;
    if (typed.some(bound) || sent && all.length) { tell("taken"); return; }
    if (typed.length) {
      const was = typed.map((f) => ({ to: place(f), fields: fields(f) }));
      try { sessionStorage.setItem(turned, JSON.stringify({ page: here(), forms: was })); } catch { tell("taken"); return; }
    } else if (!await seen()) { location.assign(e.detail); return; }
    if (sent) location.replace(here()); else location.reload();
  });
  const turn = () => {
    let was = null;
    try { was = JSON.parse(sessionStorage.getItem(turned)); } catch { return; }
    if (!was || was.page !== here()) return;
    const found = was.forms.map((x) => [formOf(x), x.fields]).filter(([form]) => form);
    if (!found.length) return; // who sits here now may not see the page: it waits for who may
    sessionStorage.removeItem(turned);
    for (const [form, values] of found) fill(form, values);
  };
  // The page's own scripts are there by then, and the browser has put back what it remembers of fields itself.
  addEventListener("pageshow", (e) => { if (!e.persisted) { back(); turn(); } });
})();
