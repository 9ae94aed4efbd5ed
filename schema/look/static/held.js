// A live part in which somebody is writing (data-held) waits: what arrives for it is put in when the part stands again as it
// came, and until then a line above it says so. Without this file such a part is replaced like any other.
(() => {
  "use strict";

  const { htmx } = window;
  const say = document.getElementById("held-say");
  if (!htmx || !say) return;

  const written = (el) => {
    if (el.type === "checkbox" || el.type === "radio") return el.checked !== el.defaultChecked;
    if (el instanceof HTMLSelectElement) return el.selectedIndex !== Math.max(0, Array.from(el.options).findIndex((o) => o.defaultSelected));
    return el.type !== "hidden" && el.value !== el.defaultValue;
  };
  const busy = (part) => {
    const at = document.activeElement;
    const fields = Array.from(part.querySelectorAll("input, select, textarea"));
    return fields.some((el) => written(el) || (el === at && !/^(checkbox|radio)$/.test(el.type)));
  };

  const held = new Map(); // what has arrived for a part last, and the line above it
  const hold = (part, fragment) => {
    const old = held.get(part);
    let line = old && old.line;
    if (!line) {
      line = document.importNode(say.content.firstElementChild, true);
      part.before(line);
    }
    held.set(part, { fragment, line });
  };
  const release = () => held.forEach(({ fragment, line }, part) => {
    if (part.isConnected && busy(part)) return;
    held.delete(part);
    line.remove();
    const box = document.createElement("div");
    box.append(fragment);
    htmx.swap({ text: `<hx-partial hx-target="#${part.id}" hx-swap="innerMorph">${box.innerHTML}</hx-partial>`, sourceElement: document.body, swap: "none" });
  });

  htmx.registerExtension("held", {
    htmx_before_swap: (_, { tasks }) => {
      for (let i = tasks.length - 1; i >= 0; i--) {
        const { target, fragment } = tasks[i];
        const part = typeof target === "string" ? document.querySelector(target) : target;
        if (!part || !part.matches("[data-held]")) continue;
        if (busy(part)) {
          hold(part, fragment);
          tasks.splice(i, 1);
        } else if (held.has(part)) { // what waits is older than what comes
          held.get(part).line.remove();
          held.delete(part);
        }
      }
    },
  });
  // The focus is on its way when it leaves a field: it is looked at where it has come to.
  for (const what of ["focusout", "change", "reset"]) document.addEventListener(what, () => setTimeout(release));
})();
