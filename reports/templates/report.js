"use strict";
// What is wider than the window scrolls in its frame; a frame that scrolls must be reached without a pointer.
(function () {
  const frames = Array.from(document.querySelectorAll(".scroll"));
  function reach() {
    for (const frame of frames) {
      const wide = frame.scrollWidth > frame.clientWidth && !frame.querySelector("[tabindex]");
      if (wide) frame.setAttribute("tabindex", "0");
      else frame.removeAttribute("tabindex");
    }
  }
  window.addEventListener("resize", reach);
  document.addEventListener("toggle", reach, true);
  reach();
  // A printed page has no pointer: what is folded is unfolded, but for what would fill many pages.
  window.addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details:not(.long)")) one.open = true;
  });
})();
(function () {
  const calls = document.getElementById("calls");
  const panel = document.getElementById("panel");
  if (!calls || !panel) return;
  const main = document.getElementById("main");
  const nodes = Array.from(calls.querySelectorAll(".n"));
  function by(selector, key) {
    const groups = new Map();
    for (const one of document.querySelectorAll(selector)) {
      const at = one.dataset[key];
      if (!groups.has(at)) groups.set(at, []);
      groups.get(at).push(one);
    }
    return groups;
  }
  const makes = by("#calls .e", "f");
  const receives = by("#calls .e", "t");
  const lanes = by(".lane[data-s]", "s");
  const states = by("#states [data-s]", "s");
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

  // The worst state of its instances in one zone over the run.
  function strip(drawn) {
    const row = document.createElement("div");
    row.className = "strip";
    const zone = document.createElement("span");
    zone.textContent = drawn.dataset.zone;
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 240 10");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    svg.append(...Array.from(drawn.children, (path) => path.cloneNode()));
    row.append(zone, svg);
    return row;
  }

  function tell(at, made, received) {
    const own = node(at);
    const head = document.createElement("p");
    const strong = document.createElement("strong");
    strong.textContent = own.dataset.name;
    head.append(strong, ", team " + own.dataset.team);
    const parts = [head];
    for (const one of states.get(at) || []) parts.push(strip(one));
    const of = (list, need, end) =>
      list.filter((edge) => edge.classList.contains("need") === need).map((edge) => name(edge.dataset[end]));
    parts.push(line("Calls", of(made, false, "t"), "c-out"), line("Called by", of(received, false, "f"), "c-in"));
    const needs = of(made, true, "t");
    const needed = of(received, true, "f");
    if (needs.length) parts.push(line("Needs, to start,", needs, "c-out"));
    if (needed.length) parts.push(line("Needed, to start, by", needed, "c-in"));
    panel.replaceChildren(...parts);
  }

  // Only what changes is touched: a large graph has thousands of edges, and the pointer moves fast.
  let shown = [];
  function light(at) {
    for (const [one, kind] of shown) one.classList.remove(kind);
    shown = [];
    const show = (one, kind) => {
      one.classList.add(kind);
      shown.push([one, kind]);
    };
    main.classList.toggle("picked", at !== null);
    if (at === null) {
      panel.innerHTML = silent;
      return;
    }
    const made = makes.get(at) || [];
    const received = receives.get(at) || [];
    for (const edge of made) { show(edge, "out"); show(node(edge.dataset.t), "lit"); }
    for (const edge of received) { show(edge, "in"); show(node(edge.dataset.f), "lit"); }
    for (const lane of lanes.get(at) || []) show(lane, "lit");
    show(node(at), "at");
    tell(at, made, received);
  }

  function hold(at) {
    if (held !== null && node(held)) node(held).setAttribute("aria-pressed", "false");
    held = held === at ? null : at;
    if (held !== null) node(held).setAttribute("aria-pressed", "true");
    light(held);
  }

  const chosen = (target) => {
    const found = target && target.closest ? target.closest(".n, .lane[data-s]") : null;
    return found ? found.dataset.s : null;
  };
  const under = (event) => chosen(event.target);
  main.addEventListener("pointerover", (event) => {
    const at = under(event);
    if (held === null && at !== null) light(at);
  });
  main.addEventListener("pointerout", (event) => {
    if (held === null && under(event) !== null && chosen(event.relatedTarget) === null) light(null);
  });
  main.addEventListener("click", (event) => {
    const at = under(event);
    if (at !== null && node(at)) hold(at);
  });
  // One stop for Tab: whoever had the focus last, by whatever way it came there.
  let stop = calls.querySelector(".n[tabindex='0']");
  calls.addEventListener("focusin", (event) => {
    const at = under(event);
    if (at === null || !node(at)) return;
    if (stop) stop.setAttribute("tabindex", "-1");
    stop = node(at);
    stop.setAttribute("tabindex", "0");
    if (held === null) light(at);
  });
  calls.addEventListener("focusout", (event) => {
    if (held === null && chosen(event.relatedTarget) === null) light(null);
  });

  // Arrows go to the nearest service in that direction.
  const place = new Map(nodes.map((one) => [one, one.transform.baseVal.consolidate().matrix]));
  function go(from, key) {
    const here = place.get(from);
    let best = null;
    let least = Infinity;
    for (const one of nodes) {
      const dx = place.get(one).e - here.e;
      const dy = place.get(one).f - here.f;
      const ahead = { ArrowRight: dx, ArrowLeft: -dx, ArrowDown: dy, ArrowUp: -dy }[key];
      const aside = key === "ArrowRight" || key === "ArrowLeft" ? Math.abs(dy) : Math.abs(dx) * 4;
      if (ahead > 1 && ahead + aside < least) { least = ahead + aside; best = one; }
    }
    if (best) best.focus();
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
  // A link to one service: coe.html#service=NAME.
  const wanted = location.hash.match(/^#service=([a-z0-9-]+)$/);
  const found = wanted && nodes.find((one) => one.dataset.name === wanted[1]);
  if (found) hold(found.dataset.s);
})();
