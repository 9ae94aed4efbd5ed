// The board by keyboard: arrows walk the cars of a lane and the lanes, M opens the menu of states of a car as a sheet over
// the board. A car that another desk moves keeps the focus it had. Without this file the menu is a page of its own.
(() => {
  "use strict";

  const board = document.getElementById("live-board");
  const sheet = document.getElementById("move");
  if (!board || !sheet) return;
  const shown = (el) => el.getClientRects().length > 0;
  const cars = (lane) => Array.from(lane.querySelectorAll(".in-car")).filter(shown);

  // walk gives the car to go to from one, or nothing.
  const walk = (from, key) => {
    const lanes = Array.from(board.querySelectorAll(".lane")).filter((l) => cars(l).length);
    if (!lanes.length) return null;
    if (!from) return key === "ArrowUp" || key === "ArrowLeft" ? null : cars(lanes[0])[0];
    const lane = lanes.indexOf(from.closest(".lane"));
    const row = cars(lanes[lane]).indexOf(from);
    if (key === "ArrowDown" || key === "ArrowUp") return cars(lanes[lane])[row + (key === "ArrowDown" ? 1 : -1)];
    const next = lanes[lane + (key === "ArrowRight" ? 1 : -1)];
    return next && cars(next)[Math.min(row, cars(next).length - 1)];
  };

  let asked = null; // the car whose menu is open
  const show = (html) => {
    sheet.innerHTML = html;
    if (!sheet.open) sheet.showModal();
    const first = sheet.querySelector("[autofocus]") || sheet.querySelector("button, a");
    if (first) first.focus();
  };
  const open = async (link) => {
    const answer = await fetch(link.href, { headers: { "HX-Request": "true" } });
    if (!answer.ok) { location.assign(link.href); return; }
    asked = link.closest(".car").id;
    show(await answer.text());
  };
  const shut = () => {
    sheet.close();
    const car = asked && document.getElementById(asked);
    if (car) car.querySelector("a").focus();
  };

  sheet.addEventListener("submit", async (e) => {
    e.preventDefault();
    const form = e.target, data = new FormData(form);
    if (e.submitter && e.submitter.name) data.set(e.submitter.name, e.submitter.value);
    try {
      const answer = await fetch(form.action, { method: "POST", headers: { "HX-Request": "true" }, body: new URLSearchParams(data) });
      if (answer.headers.get("Board") === "moved") { shut(); return; }
      if (!answer.ok) { location.reload(); return; }
      show(await answer.text());
    } catch {
      location.reload();
    }
  });
  sheet.addEventListener("click", (e) => {
    if (e.target === sheet || e.target.closest("[data-shut]")) { e.preventDefault(); shut(); }
  });
  sheet.addEventListener("close", () => { sheet.replaceChildren(); });
  sheet.addEventListener("keydown", (e) => {
    const all = Array.from(sheet.querySelectorAll("button, a"));
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[e.key];
    if (!step) return;
    e.preventDefault();
    (all[all.indexOf(document.activeElement) + step] || document.activeElement).focus();
  });

  board.addEventListener("click", (e) => {
    const link = e.target.closest("[data-move]");
    if (!link || e.ctrlKey || e.metaKey || e.shiftKey) return;
    e.preventDefault();
    open(link).catch(() => location.assign(link.href));
  });

  document.addEventListener("keydown", (e) => {
    if (e.defaultPrevented || e.altKey || e.ctrlKey || e.metaKey || document.querySelector("dialog[open]")) return;
    const at = document.activeElement;
    const car = at && at.closest(".car");
    if (at && at !== document.body && !car) return;
    if (/^Arrow/.test(e.key)) {
      const next = walk(car && car.querySelector(".in-car"), e.key);
      if (next) next.focus();
      if (next || car) e.preventDefault();
      return;
    }
    if (e.key.toLowerCase() === "m" && car && car.querySelector("[data-move]")) {
      e.preventDefault();
      open(car.querySelector("[data-move]")).catch(() => location.assign(car.querySelector("[data-move]").href));
    }
  }, true);

  // What is replaced while it has the focus gets it back where it stands now.
  let held = "";
  document.addEventListener("focusin", (e) => {
    const car = e.target.closest && e.target.closest(".car");
    held = car ? car.id : "";
  });
  new MutationObserver(() => {
    if (!held || sheet.open || (document.activeElement && document.activeElement !== document.body)) return;
    const car = document.getElementById(held);
    if (car) car.querySelector("a").focus({ preventScroll: true });
  }).observe(board, { childList: true, subtree: true });
  document.addEventListener("pointerdown", () => { held = ""; });
})();
