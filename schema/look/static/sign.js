// Signing with a finger, a pen or the mouse: the part "sign" of a form. When the form is sent the drawing goes to
// /attachments first, as a PNG, and the form then brings the attachment's name. Without this file the block is a field
// for the name, which is also the way by keyboard.
(() => {
  "use strict";

  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  const arm = (block) => {
    if (block.dataset.armed) return;
    block.dataset.armed = "yes";
    const pad = block.querySelector("canvas"), ink = pad.getContext("2d");
    const picture = block.querySelector("[data-sign=picture]"), name = block.querySelector("[data-sign=name]");
    const who = block.querySelector("[data-sign=who]"), again = block.querySelector("[data-sign=again]");
    const before = block.querySelector("[data-sign=before]"), says = block.querySelectorAll("[data-sign-say]");
    const form = name.form;
    let strokes = 0, last = null, pen = 0, sending = false;

    const say = (what) => { for (const s of says) s.hidden = s.dataset.signSay !== what; };
    const clear = () => {
      ink.fillStyle = "#fff";
      ink.fillRect(0, 0, pad.width, pad.height);
      Object.assign(ink, { lineWidth: 5, lineCap: "round", lineJoin: "round", strokeStyle: "#1b1d22" });
      strokes = 0;
      last = null;
      name.value = "";
      say("");
    };
    const at = (e) => {
      const r = pad.getBoundingClientRect();
      return { x: (e.clientX - r.left) * pad.width / r.width, y: (e.clientY - r.top) * pad.height / r.height };
    };
    const line = (to) => {
      ink.beginPath();
      ink.moveTo(last.x, last.y);
      ink.lineTo(to.x, to.y);
      ink.stroke();
      last = to;
    };
    const mine = (e) => last && pen === e.pointerId;

    pad.addEventListener("pointerdown", (e) => {
      if (last || sending || e.button > 0) return; // the palm beside the pen is no second line
      e.preventDefault();
      pad.setPointerCapture(e.pointerId);
      name.value = ""; // what was sent before is not what stands here now
      strokes++;
      pen = e.pointerId;
      last = at(e);
      line({ x: last.x + 0.1, y: last.y }); // a dot, if it stays at that
    });
    pad.addEventListener("pointermove", (e) => {
      if (!mine(e)) return;
      const all = e.getCoalescedEvents ? e.getCoalescedEvents() : [];
      for (const p of all.length ? all : [e]) line(at(p));
      last.id = e.pointerId;
    });
    for (const end of ["pointerup", "pointercancel"]) pad.addEventListener(end, (e) => { if (mine(e)) last = null; });

    again.addEventListener("click", () => {
      if (sending) return;
      clear();
      if (before) before.remove();
    });

    // send gives the attachment's name, "" if it was not taken. It waits for the site as long as it takes.
    const send = async () => {
      const file = await new Promise((done) => pad.toBlob(done, "image/png"));
      for (;;) {
        const body = new FormData();
        body.append("on", block.dataset.record);
        body.append("role", "ATTACHMENT_SIGNATURE");
        body.append("request_id", block.dataset.request);
        body.append("caption", who.value);
        body.append("file", file, "signature.png");
        let answer = null;
        try {
          answer = await fetch("/attachments", { method: "POST", body, headers: { Accept: "application/json", "HX-Request": "true" } });
          if (answer.ok) return (await answer.json()).records[0].name;
        } catch { answer = null; }
        if (answer && answer.status !== 401) return "";
        say(answer ? "out" : "gone");
        await pause(2000);
      }
    };

    form.addEventListener("submit", async (e) => {
      if (!strokes || name.value || e.defaultPrevented) return;
      e.preventDefault();
      if (sending) return;
      sending = true;
      const by = e.submitter;
      if (!who.value.trim()) who.value = block.dataset.expected;
      say("sending");
      const got = await send();
      sending = false;
      say(got ? "" : "refused");
      if (!got) return;
      name.value = got;
      if (by && by.isConnected) form.requestSubmit(by); else form.requestSubmit();
    });

    picture.hidden = false;
    const had = name.value;
    clear();
    name.value = had;
  };

  for (const block of document.querySelectorAll("[data-sign=block]")) arm(block);
})();
