// The car sketch of an inspection: a tap on it asks what is there and writes a row of the list below, which is the form and
// the way by keyboard. The marks on the sketch follow the list.
(() => {
  "use strict";

  const sketch = document.getElementById("sketch"), list = document.getElementById("dents"), box = document.getElementById("dent");
  if (!sketch || !list || !box) return;
  const SVG = "http://www.w3.org/2000/svg";
  const part = document.getElementById("dent-part"), note = document.getElementById("dent-note"), remove = box.querySelector("[data-remove]");
  const rows = () => Array.from(list.children);
  const of = (row, what) => row.querySelector(`[name$=".${what}"]`);
  const used = (row) => of(row, "part").value !== "";
  const empty = (row) => !used(row) && !of(row, "what").value && !of(row, "note").value;

  // What the list does not say a place for lies where the panel is; its outline is asked.
  const middle = (code) => {
    const panel = sketch.querySelector(`[data-part="${CSS.escape(code)}"]`);
    if (!panel) return null;
    const b = panel.getBBox(), x = b.x + b.width / 2, y = b.y + b.height / 2;
    return { x: panel.hasAttribute("transform") ? 1000 - x : x, y };
  };

  const draw = () => {
    const marks = sketch.querySelector(".dents");
    for (const old of marks.querySelectorAll(".dent:not(.old)")) old.remove();
    rows().forEach((row, i) => {
      row.querySelector(".no").textContent = String(i + 1);
      if (!used(row)) return;
      const kind = of(row, "what").value || "broken";
      const typed = of(row, "x").value !== "" && of(row, "y").value !== "";
      const at = typed ? { x: Number(of(row, "x").value), y: Number(of(row, "y").value) } : middle(of(row, "part").value);
      if (!at) return;
      const g = document.createElementNS(SVG, "g"), disc = document.createElementNS(SVG, "circle"), use = document.createElementNS(SVG, "use"), no = document.createElementNS(SVG, "text");
      g.setAttribute("class", "dent");
      g.setAttribute("transform", `translate(${Math.round(at.x)} ${Math.round(at.y)})`);
      disc.setAttribute("r", "30");
      use.setAttribute("href", document.getElementById("d-" + kind) ? "#d-" + kind : "#d-broken");
      for (const [k, v] of [["x", -20], ["y", -20], ["width", 40], ["height", 40]]) use.setAttribute(k, String(v));
      no.setAttribute("x", "30");
      no.setAttribute("y", "-16");
      no.textContent = String(i + 1);
      g.append(disc, use, no);
      marks.append(g);
    });
  };

  // more adds an empty row, made of the last one; blank is one that is free.
  const more = () => {
    const all = rows(), row = all[all.length - 1].cloneNode(true);
    for (const el of row.querySelectorAll("[name]")) {
      el.name = el.name.replace(/\.\d+\./, `.${all.length}.`);
      el.value = "";
      if (el.hasAttribute("aria-label")) el.setAttribute("aria-label", el.getAttribute("aria-label").replace(/\d+$/, String(all.length + 1)));
    }
    for (const fault of row.querySelectorAll(".err")) fault.remove();
    row.dataset.blank = "";
    list.append(row);
    return row;
  };
  const blank = () => rows().find(empty) || more();
  // One empty row is shown to write into; what was taken out is not.
  const tidy = () => {
    const next = blank();
    for (const row of rows()) row.hidden = empty(row) && row !== next && !row.contains(document.activeElement);
    draw();
  };

  let target = null, place = null;
  const open = (row, code, at) => {
    target = row;
    place = at;
    part.value = code;
    note.value = row ? of(row, "note").value : "";
    remove.hidden = !row;
    box.returnValue = "";
    const kind = row ? of(row, "what").value : "";
    for (const b of box.querySelectorAll(".kinds button")) b.setAttribute("aria-pressed", String(b.value === kind));
    box.showModal();
    box.querySelector(".kinds button").focus();
  };

  sketch.addEventListener("click", (e) => {
    const p = new DOMPoint(e.clientX, e.clientY).matrixTransform(sketch.getScreenCTM().inverse());
    const at = { x: Math.min(1000, Math.max(0, Math.round(p.x))), y: Math.min(1000, Math.max(0, Math.round(p.y))) };
    const mark = e.target.closest(".dent:not(.old)");
    if (mark) {
      const row = rows()[Number(mark.querySelector("text").textContent) - 1];
      open(row, of(row, "part").value, null);
      return;
    }
    const panel = e.target.closest("[data-part]");
    if (panel) open(null, panel.dataset.part, at);
  });

  box.addEventListener("keydown", (e) => e.stopPropagation()); // the page's own keys would leave it
  box.addEventListener("close", () => {
    const said = box.returnValue;
    if (!said) return;
    const row = target || blank();
    const gone = said === "remove", moved = of(row, "part").value !== part.value;
    of(row, "part").value = gone ? "" : part.value;
    if (said !== "keep") of(row, "what").value = gone ? "" : said;
    of(row, "note").value = gone ? "" : note.value;
    if (place || gone || moved) {
      of(row, "x").value = place && !gone ? String(place.x) : "";
      of(row, "y").value = place && !gone ? String(place.y) : "";
    }
    tidy();
  });

  list.addEventListener("change", (e) => {
    const row = e.target.closest("li");
    if (e.target.name.endsWith(".part")) { // elsewhere on the car: the old place is none of it
      of(row, "x").value = "";
      of(row, "y").value = "";
    }
    tidy();
  });

  // A finding that wants work offers to become a line.
  const offer = (row) => {
    const light = row.querySelector("input[type=radio]:checked"), ask = !!light && Number(light.value) > 1, line = row.querySelector("[name=propose]");
    row.classList.toggle("ask", ask);
    if (line) line.hidden = !ask;
  };
  const points = document.querySelector(".points");
  if (points) points.addEventListener("change", (e) => {
    if (e.target.type !== "radio") return;
    const row = e.target.closest("li");
    delete row.dataset.judged;
    offer(row);
  });
  // What is measured sets the light, as long as nobody has.
  if (points) points.addEventListener("input", (e) => {
    const { now, soon } = e.target.dataset, n = parseFloat(e.target.value.replace(",", ".")), row = e.target.closest("li"), light = row.querySelector("input[type=radio]:checked");
    if (!now || Number.isNaN(n) || light && light.value !== "0" && !("judged" in row.dataset)) return;
    row.querySelector(`input[type=radio][value="${n < Number(now) ? 3 : n < Number(soon) ? 2 : 1}"]`).checked = true;
    row.dataset.judged = "";
    offer(row);
  });

  // The form is filled in again (keep.js), with as many damages as it had.
  const form = list.closest("form");
  form.addEventListener("keep-row", (e) => { if (e.detail.startsWith("damages.")) more(); });
  form.addEventListener("keep-filled", () => {
    tidy();
    if (points) for (const row of points.children) offer(row);
  });

  tidy();
})();
