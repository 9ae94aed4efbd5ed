// The review of who is one customer: a question a key. The page works without this file; it draws the next question
// before the answer to the last is kept, and keeps the answers one after the other.
(() => {
  "use strict";

  const byId = (id) => document.getElementById(id);
  const root = byId("review"), form = byId("verdict"), card = byId("card");
  if (!root || !form || !card) return;
  const may = root.hasAttribute("data-may");
  const said = byId("said"), over = byId("over"), open = byId("open");
  const later = byId("later"), undo = byId("undo"), keys = byId("keys"), list = byId("keylist"), reason = byId("reason");

  const AHEAD = 3;   // questions kept ready
  const CALM = 150;  // ms a question stands before it can be answered: nobody reads one faster, and a key may bounce

  // A question: what is drawn, and what its form sends.
  const read = (nodes) => {
    const q = nodes.find((n) => n.dataset && n.dataset.id);
    return q && { nodes, id: q.dataset.id, a: q.dataset.a, b: q.dataset.b, request: q.dataset.request, names: q.dataset.names,
      members: q.dataset.members.split(" ").filter(Boolean) };
  };
  let now = read(Array.from(card.children));
  let line = [];                 // those to come
  let trail = [];                // those looked at and passed by
  const answered = new Set();    // never given again
  const put = new Set();         // left for later
  const done = [];               // decisions that can be taken back: {question, name: promise}
  const counts = document.querySelectorAll(".tabs [aria-current] [data-count], .rail [aria-current] small"); // of the same questions
  let left = Number(open.dataset.open) || 0;
  let drawn = performance.now();
  let filling = null;
  let waiting = false;           // nothing is drawn: the next one is on its way
  let kept = Promise.resolve();  // the answers, one after the other

  const tell = (text, bad) => { said.textContent = text; said.classList.toggle("bad", !!bad); };
  const count = () => {
    left = Math.max(0, left);
    open.textContent = left === 0 ? open.dataset.none : left === 1 ? open.dataset.one : open.dataset.many.replace("#", String(left));
    for (const n of counts) n.textContent = left ? left.toLocaleString("en") : "";
  };

  const draw = (q) => {
    now = q;
    waiting = !q;
    card.hidden = !q;
    form.classList.toggle("is-waiting", !q);
    if (!q) { card.replaceChildren(); return; }
    over.hidden = true;
    form.hidden = false;
    card.replaceChildren(...q.nodes);
    form.elements.a.value = q.a;
    form.elements.b.value = q.b;
    form.elements.request.value = q.request;
    card.dataset.id = q.id;
    drawn = performance.now();
    if (window.scrollY > form.offsetTop) window.scrollTo(0, 0);
  };

  const get = async (query) => {
    const res = await fetch("/match/next?" + new URLSearchParams(query), { headers: { "HX-Request": "true" } });
    if (res.status === 401) { location.reload(); throw new Error("signed out"); }
    if (!res.ok) throw new Error(String(res.status));
    const box = new DOMParser().parseFromString(await res.text(), "text/html").getElementById("next");
    if (query.pair === undefined) { left = Number(box.dataset.open) - [...answered].filter((id) => unkept.has(id)).length; count(); }
    return Array.from(box.querySelectorAll("template"), (t) => read(Array.from(document.importNode(t.content, true).children))).filter(Boolean);
  };
  const unkept = new Set();      // answered, and not kept yet: the site still counts them

  // fill asks for more while few are ready. Those put off come again when nothing else is left.
  const fill = () => {
    if (filling || line.length >= AHEAD) return filling;
    const has = [...answered, ...put, ...line.map((q) => q.id), ...trail.map((q) => q.id)];
    if (now) has.push(now.id);
    filling = get({ not: has.slice(-1000).join(",") }).then((more) => {
      const known = new Set(line.map((q) => q.id));
      for (const q of more) if (!answered.has(q.id) && !known.has(q.id) && !(now && now.id === q.id)) line.push(q);
      filling = null;
      if (more.length === 0 && waiting && put.size > 0) { put.clear(); trail = []; tell(root.dataset.first); return fill(); }
      if (waiting) step();
      return null;
    }).catch(() => { filling = null; if (waiting) end(root.dataset.lost); });
    return filling;
  };

  const end = (why) => {
    draw(null);
    waiting = false;
    if (why) tell(why, true);
    over.hidden = !!why;
    form.hidden = !why && done.length === 0 && !said.textContent;
  };

  // step draws the next question.
  const step = () => {
    if (line.length > 0) { draw(line.shift()); fill(); return; }
    if (!filling && waiting) { end(); return; }
    draw(null);
    tell(root.dataset.wait);
    fill();
  };

  const near = (q, members) => q.members.some((m) => members.includes(m));
  // drop forgets questions that a decision touches: the site gives them again, as they are then.
  const drop = (members) => { line = line.filter((q) => !near(q, members)); trail = trail.filter((q) => !near(q, members)); };

  const post = async (path, fields) => {
    const res = await fetch(path, { method: "POST", headers: { Accept: "application/json", "HX-Request": "true" }, body: new URLSearchParams(fields) });
    if (res.status === 401) { location.reload(); throw new Error("signed out"); }
    if (!res.ok) throw new Error(String(res.status));
    return res.json();
  };

  const decide = (verdict) => {
    const q = now;
    if (!may || !q || q.held || answered.has(q.id) || performance.now() - drawn < CALM) return;
    answered.add(q.id);
    unkept.add(q.id);
    put.delete(q.id);
    left -= 1;
    count();
    const fields = { a: q.a, b: q.b, request: q.request, verdict, reason: reason ? reason.value : "" };
    if (reason) { reason.value = ""; reason.closest("details").open = false; }
    drop(q.members);
    step();
    tell(root.dataset[verdict].replace("#", q.names));
    const mine = { q };
    mine.name = kept.then(() => post("/match", fields)).then(async (r) => {
      unkept.delete(q.id);
      if (r.contradicts > 0) tell(root.dataset.clash, true);
      drop(r.members);
      if (now && near(now, r.members)) await again(now);
      fill();
      return r.decision;
    }).catch(() => {
      // It was not kept: it is asked again, first.
      unkept.delete(q.id);
      answered.delete(q.id);
      if (done.includes(mine)) { done.splice(done.indexOf(mine), 1); left += 1; }
      q.held = false;
      if (now && now !== q) line.unshift(now);
      draw(q);
      count();
      tell(root.dataset.lost, true);
      return null;
    });
    kept = mine.name;
    done.push(mine);
    if (undo) undo.hidden = false;
  };

  // again draws the question that is shown as it is now, or the next one when it has answered itself.
  const again = async (q) => {
    let fresh;
    try { fresh = await get({ pair: q.a + "," + q.b }); } catch { return; }
    if (now !== q) return;
    if (fresh.length > 0) draw(fresh[0]); else { tell(root.dataset.gone); left -= 1; count(); step(); }
  };

  const takeBack = () => {
    const last = done.pop();
    if (!last) { tell(root.dataset.nothing); return; }
    if (undo) undo.hidden = done.length === 0;
    // It stands there at once, and can be answered again when its first answer is taken back.
    const q = last.q;
    q.held = true;
    drop(q.members);
    if (now) line.unshift(now);
    draw(q);
    left += 1;
    count();
    kept = last.name.then(async (name) => {
      if (!name) { q.held = false; return; } // it was not kept, and is asked again already
      await post("/match/withdraw", { name });
      answered.delete(q.id);
      const fresh = await get({ pair: q.a + "," + q.b, any: "1" });
      if (now === q) { if (fresh.length > 0) draw(fresh[0]); else step(); } else if (fresh.length > 0) line.unshift(fresh[0]);
      trail = trail.filter((x) => x !== q);
      tell(root.dataset.undone.replace("#", q.names));
    }).catch(() => {
      done.push(last);
      if (undo) undo.hidden = false;
      left -= 1;
      count();
      if (now === q) step();
      trail = trail.filter((x) => x !== q);
      tell(root.dataset.lost, true);
    });
  };

  const leave = () => {
    if (!now) return;
    put.add(now.id);
    trail.push(now);
    tell(root.dataset.later.replace("#", now.names));
    step();
  };
  const forth = () => {
    if (!now) return;
    if (line.length === 0 && filling) return; // a moment
    if (line.length === 0) { leave(); return; }
    trail.push(now);
    step();
  };
  const back = () => {
    if (trail.length === 0) { tell(root.dataset.first); return; }
    if (now) line.unshift(now);
    draw(trail.pop());
  };
  const showKeys = () => {
    list.hidden = !list.hidden;
    keys.setAttribute("aria-expanded", String(!list.hidden));
  };
  const why = () => { if (!reason) return false; reason.closest("details").open = true; reason.focus(); return true; };

  const acts = {
    s: () => decide("same"), d: () => decide("different"), l: leave, u: takeBack, j: forth, k: back, r: why, "?": showKeys,
    ArrowRight: forth, ArrowLeft: back, // up and down scroll
  };

  // The letter of a key: what it writes, or where it lies when it writes no Latin letter (another script, an open input method).
  const letter = (e) => {
    if (/^[a-z?]$/i.test(e.key)) return e.key.toLowerCase();
    if (/^Arrow(Left|Right)$/.test(e.key)) return e.key;
    if (e.shiftKey && e.code === "Slash") return "?";
    if (e.key === "？") return "?";
    const at = /^Key([A-Z])$/.exec(e.code);
    return at ? at[1].toLowerCase() : "";
  };

  document.addEventListener("keydown", (e) => {
    if (e.defaultPrevented || e.isComposing || e.ctrlKey || e.metaKey || e.altKey) return;
    const at = document.activeElement;
    if (at && (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName))) {
      if (at === reason && e.key === "Enter") { e.preventDefault(); at.blur(); }
      return;
    }
    const act = acts[letter(e)];
    if (!act) return;
    e.preventDefault();
    if (e.repeat) return; // a key held down answers one question
    act();
  }, true);

  form.addEventListener("submit", (e) => {
    e.preventDefault();
    if (e.submitter && e.submitter.name === "verdict") decide(e.submitter.value);
  });
  later.addEventListener("click", (e) => { if (!e.ctrlKey && !e.metaKey && !e.shiftKey) { e.preventDefault(); leave(); } });
  if (undo) undo.addEventListener("click", takeBack);
  keys.hidden = false;
  keys.addEventListener("click", showKeys);
  window.addEventListener("beforeunload", (e) => { if (unkept.size > 0) e.preventDefault(); });

  if (now) card.dataset.id = now.id;
  root.dataset.ready = "1";
  fill();
})();
