"use strict";
(function () {
  const calls = document.getElementById("calls");
  const panel = document.getElementById("panel");
  if (!calls || !panel) return;
  const main = document.getElementById("main");
  const nodes = Array.from(calls.querySelectorAll(".n"));
  const edges = Array.from(calls.querySelectorAll(".e"));
  const lanes = Array.from(document.querySelectorAll(".lane[data-s]"));
  const silent = panel.innerHTML;
  let held = null;

  const node = (at) => document.getElementById("n" + at);
  const name = (at) => (node(at) ? node(at).dataset.name : "");

  // Every text goes in as text: a name is never markup.
  function line(label, names, kind) {
    const p = document.createElement("p");
    const b = document.createElement("b");
    b.className = kind;
    b.textContent = label + " ";
    p.append(b, names.length ? names.join(", ") : "nobody");
    return p;
  }

  function tell(at, made, received) {
    const own = node(at);
    const head = document.createElement("p");
    const strong = document.createElement("strong");
    strong.textContent = own.dataset.name;
    head.append(strong, ", team " + own.dataset.team);
    const strip = own.querySelector(".strip");
    const parts = [head];
    if (strip) {
      const box = strip.getBBox();
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      svg.setAttribute("viewBox", [box.x, box.y - 7, Math.max(box.width, 1), 14].join(" "));
      svg.setAttribute("preserveAspectRatio", "none");
      svg.setAttribute("role", "img");
      svg.setAttribute("aria-label", "the worst state of its instances over the run");
      svg.append(strip.cloneNode(true));
      parts.push(svg);
    }
    const of = (list, need, end) =>
      list.filter((edge) => edge.classList.contains("need") === need).map((edge) => name(edge.dataset[end]));
    parts.push(line("Calls", of(made, false, "t"), "c-out"), line("Called by", of(received, false, "f"), "c-in"));
    const needs = of(made, true, "t");
    const needed = of(received, true, "f");
    if (needs.length) parts.push(line("Needs, to start,", needs, "c-out"));
    if (needed.length) parts.push(line("Needed, to start, by", needed, "c-in"));
    panel.replaceChildren(...parts);
  }

  function light(at) {
    const made = [];
    const received = [];
    const near = new Set();
    for (const edge of edges) {
      const out = edge.dataset.f === at;
      const into = edge.dataset.t === at;
      edge.classList.toggle("out", out);
      edge.classList.toggle("in", into);
      if (out) { made.push(edge); near.add(edge.dataset.t); }
      if (into) { received.push(edge); near.add(edge.dataset.f); }
    }
    for (const one of nodes) {
      one.classList.toggle("at", one.dataset.s === at);
      one.classList.toggle("lit", near.has(one.dataset.s));
    }
    for (const lane of lanes) lane.classList.toggle("lit", lane.dataset.s === at);
    main.classList.toggle("picked", at !== null);
    if (at === null) panel.innerHTML = silent;
    else tell(at, made, received);
  }

  function hold(at) {
    if (held !== null && node(held)) node(held).setAttribute("aria-pressed", "false");
    held = held === at ? null : at;
    if (held !== null) node(held).setAttribute("aria-pressed", "true");
    light(held);
  }

  const under = (event) => {
    const found = event.target.closest ? event.target.closest(".n, .lane[data-s]") : null;
    return found ? found.dataset.s : null;
  };
  main.addEventListener("pointerover", (event) => {
    const at = under(event);
    if (held === null && at !== null) light(at);
  });
  main.addEventListener("pointerout", (event) => {
    if (held === null && under(event) !== null) light(null);
  });
  main.addEventListener("click", (event) => {
    const at = under(event);
    if (at !== null && node(at)) hold(at);
  });
  calls.addEventListener("focusin", (event) => {
    const at = under(event);
    if (held === null && at !== null) light(at);
  });
  calls.addEventListener("focusout", () => { if (held === null) light(null); });

  // One stop for Tab; arrows go from there to the nearest service in that direction.
  function go(from, key) {
    const here = from.getBoundingClientRect();
    let best = null;
    let least = Infinity;
    for (const one of nodes) {
      const there = one.getBoundingClientRect();
      const dx = there.left - here.left;
      const dy = there.top - here.top;
      const ahead = { ArrowRight: dx, ArrowLeft: -dx, ArrowDown: dy, ArrowUp: -dy }[key];
      const aside = key === "ArrowRight" || key === "ArrowLeft" ? Math.abs(dy) : Math.abs(dx) * 4;
      if (ahead > 1 && ahead + aside < least) { least = ahead + aside; best = one; }
    }
    if (best) {
      from.setAttribute("tabindex", "-1");
      best.setAttribute("tabindex", "0");
      best.focus();
    }
  }
  calls.addEventListener("keydown", (event) => {
    const own = event.target.closest(".n");
    if (!own) return;
    if (event.key.startsWith("Arrow")) { event.preventDefault(); go(own, event.key); }
    else if (event.key === "Enter" || event.key === " ") { event.preventDefault(); hold(own.dataset.s); }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && held !== null) hold(held);
  });
  // A printed page has no pointer: what is folded is unfolded.
  window.addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details")) one.open = true;
  });
  // A link to one service: coe.html#service=NAME.
  const wanted = location.hash.match(/^#service=([a-z0-9-]+)$/);
  const found = wanted && nodes.find((one) => one.dataset.name === wanted[1]);
  if (found) hold(found.dataset.s);
})();
