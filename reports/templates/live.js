"use strict";
// The picture of a run while it goes on. What stands comes whole once (`region`, `now`) and then as what changed (`delta`);
// this page does with a delta what `Now::apply` does. Every text goes in as text: a name is never markup.
(function () {
  const RUN = document.body.dataset.run;
  const WINDOWS_MAX = 120;
  const TIMELINE_MAX = 200;
  // Milliseconds: customers of the last so many count as now; without a window for so long a canary is not heard.
  const LATELY = 10000;
  const UNHEARD = 5000;
  // Without any word for so long the line is dead, whatever the browser thinks of it: three heartbeats.
  const SILENT = 31000;
  const STANDS = [
    ["a", "active", "a request through it succeeds in full"],
    ["d", "degraded", "it answers without a soft dependency"],
    ["s", "serving", "it answers, with errors"],
    ["t", "starting", "it has power and does not answer"],
    ["o", "off", "its host has no power"],
  ];
  const WORD = Object.fromEntries(STANDS.map(([letter, word]) => [letter, word]));
  const RAIL = ["provision", "settle", "baseline", "outage", "power-on", "recovery", "quiet", "read-back", "teardown", "ended"];
  const LIMIT = { settle: ["settle_ms", "at most"], baseline: ["baseline_ms", "of"], recovery: ["recovery_ms", "at most"], quiet: ["quiet_ms", "of"] };
  const SIGN = { violated: "✕", held: "✓", inconclusive: "?", "not-judged": "–" };
  const STEP = { planned: ["○", "planned"], begun: ["◐", "under way"], done: ["●", "done"], "left-out": ["⊘", "left out"] };
  const MARK = { phase: ["▸", ""], fault: ["▼", "fault: "], heal: ["▲", "heal: "], bad: ["✕", "attention: "], good: ["✓", ""], note: ["·", ""] };

  const at = (id) => document.getElementById(id);
  const make = (tag, kind, text) => {
    const one = document.createElement(tag);
    if (kind) one.className = kind;
    if (text !== undefined) one.textContent = text;
    return one;
  };
  // Only what differs is touched: nobody is read the same twice, and nothing is laid out anew.
  const say = (one, text) => { if (one.textContent !== text) one.textContent = text; };
  const show = (one, is) => { if (one.hidden === is) one.hidden = !is; };
  const name = (one, attribute, value) => { if (one.getAttribute(attribute) !== value) one.setAttribute(attribute, value); };
  const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  const seconds = (ms) => (ms < 10000 ? (ms / 1000).toFixed(1) : Math.round(ms / 1000)) + " s";
  const clock = (ms) => {
    const whole = Math.floor(ms / 1000);
    const pad = (number) => String(number).padStart(2, "0");
    const hours = Math.floor(whole / 3600);
    return (hours ? hours + ":" : "") + pad(Math.floor(whole / 60) % 60) + ":" + pad(whole % 60);
  };
  // Cut and not rounded: 99.999 % is never shown as 100 %.
  const share = (part, all) => (part >= all ? "100 %" : (Math.floor((part / all) * 10000) / 100).toFixed(2) + " %");

  let region = null;
  let now = null;
  let heard = 0; // When the last word came, by the page's own clock.
  let cells = [];
  let hosts = [];
  let zones = [];
  let steps = [];
  const dirty = { instances: new Set(), all: false, hosts: false, zones: new Set(), steps: false, timeline: 0, phase: false, ending: false, lack: false, counts: false };

  // ---- The picture, built once for a region. ----

  function build() {
    const all = region.instances.length;
    const map = at("zones");
    map.className = "zones" + (all <= 120 ? " few" : all <= 400 ? " some" : "");
    map.replaceChildren();
    hosts = region.hosts.map((host) => {
      const own = make("div", "host");
      own.setAttribute("role", "group");
      own.setAttribute("aria-label", host.name);
      return own;
    });
    cells = region.instances.map((instance, index) => {
      const own = make("span", "i o");
      own.setAttribute("role", "option");
      own.setAttribute("aria-selected", "false");
      own.tabIndex = -1;
      own.dataset.at = index;
      hosts[instance.host].append(own);
      return own;
    });
    zones = region.zones.map((zone, number) => buildZone(zone, number));
    map.append(...zones.map((zone) => zone.own));
    at("legend").replaceChildren(...STANDS.map(([letter, word, means]) => {
      const one = make("li");
      one.title = means;
      one.append(make("span", "i " + letter), make("b", "", "0"), word);
      return one;
    }));
    at("rail").replaceChildren(...RAIL.map((phase) => {
      const one = make("li");
      one.append(make("span", "", phase));
      return one;
    }));
    buildPlan();
  }

  function buildZone(zone, number) {
    const own = make("section", "zone");
    own.setAttribute("aria-labelledby", "zone-" + number);
    const bar = make("div", "bar");
    const head = make("h3", "", zone);
    head.id = "zone-" + number;
    const counts = make("p", "counts");
    bar.append(head, counts);
    const customers = make("div", "customers");
    const figure = make("span", "share", "–");
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "chart");
    svg.setAttribute("viewBox", `0 0 ${WINDOWS_MAX} 30`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `customers in ${zone}: nothing heard yet`);
    const bars = ["ok", "part", "bad"].map((kind) => {
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      path.setAttribute("class", kind);
      svg.append(path);
      return path;
    });
    const note = make("small", "", "customers: nothing heard yet");
    customers.append(figure, svg, note);
    const list = make("div", "hosts");
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", `instances in ${zone}`);
    list.setAttribute("aria-orientation", "horizontal");
    const members = [];
    region.hosts.forEach((host, index) => { if (host.zone === number) list.append(hosts[index]); });
    region.instances.forEach((instance, index) => { if (region.hosts[instance.host].zone === number) members.push(index); });
    if (members.length) cells[members[0]].tabIndex = 0;
    own.append(bar, customers, list);
    return { own, name: zone, counts, figure, svg, bars, note, list, members };
  }

  function buildPlan() {
    const list = at("plan");
    list.replaceChildren();
    let round = -1;
    steps = region.steps.map((step) => {
      if (region.rounds > 1 && step.round !== round) list.append(make("li", "round", `Round ${step.round + 1} of ${region.rounds}`));
      round = step.round;
      const own = make("li");
      const sign = make("span", "sign");
      const state = make("span", "unseen");
      const what = make("span", "what");
      const when = make("span", "when");
      const proof = make("span", "proof");
      sign.setAttribute("aria-hidden", "true");
      what.append(step.fault + ": " + deed(step), state);
      own.append(sign, what, when, proof);
      list.append(own);
      return { own, sign, state, when, proof };
    });
    if (!steps.length) list.append(make("li", "round", "This plan has no step."));
  }

  function deed(step) {
    const on = count(step.hosts, "host");
    if (step.what === "power") return (step.act === "inject" ? "power off, " : "power on, ") + on;
    return step.act === "inject" ? `${step.what} begins, ${on}` : `${step.what} ends, ${on}`;
  }

  // ---- What comes over the wire. ----

  function whole(next) {
    now = next;
    Object.assign(dirty, { all: true, hosts: true, steps: true, timeline: TIMELINE_MAX, phase: true, ending: true, lack: true });
    region.zones.forEach((_, index) => dirty.zones.add(index));
    at("timeline").replaceChildren();
    waiting = [];
  }

  function apply(delta) {
    now.t_ms = delta.t_ms;
    if (delta.phase) { now.phase = delta.phase; dirty.phase = true; announce(delta.phase); }
    if (delta.rounds) { now.rounds = delta.rounds; dirty.steps = true; }
    if (delta.all) { changedAll(delta.all); now.instances = delta.all.split(""); }
    for (const [index, letter] of delta.few || []) { now.instances[index] = letter; dirty.instances.add(index); }
    for (const [index, missing] of delta.missing || []) {
      if (missing.length) now.missing[index] = missing;
      else delete now.missing[index];
      dirty.lack = true;
    }
    if (delta.hosts) { now.hosts = delta.hosts; dirty.hosts = true; }
    for (const [index, more] of delta.zones || []) {
      const zone = now.zones[index];
      [zone.sent, zone.answered] = [more.sent, more.answered];
      zone.windows.push(...more.windows);
      zone.windows.splice(0, zone.windows.length - WINDOWS_MAX);
      dirty.zones.add(index);
    }
    for (const [index, step] of delta.steps || []) { now.steps[index] = step; dirty.steps = true; }
    if (delta.told !== undefined) now.told = delta.told;
    if (delta.timeline) {
      now.timeline.push(...delta.timeline);
      now.timeline.splice(0, now.timeline.length - TIMELINE_MAX);
      dirty.timeline = Math.min(TIMELINE_MAX, dirty.timeline + delta.timeline.length);
    }
    if (delta.ending) { now.ending = delta.ending; dirty.ending = true; }
    if (delta.unread !== undefined) { now.unread = delta.unread; dirty.ending = true; }
  }

  function changedAll(letters) {
    for (let index = 0; index < letters.length; index += 1) {
      if (letters[index] !== now.instances[index]) dirty.instances.add(index);
    }
  }

  // ---- Drawing: at most once a frame of the screen, and only what changed. ----

  let asked = false;
  function soon() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; if (now) draw(); });
  }

  function draw() {
    const touched = dirty.all ? cells.keys() : dirty.instances;
    let any = dirty.all;
    for (const index of touched) { drawCell(index); any = true; }
    if (dirty.hosts) drawHosts();
    if (any || dirty.hosts) drawCounts();
    for (const index of dirty.zones) drawCustomers(index);
    if (dirty.zones.size) drawAnswered();
    if (dirty.phase) drawPhase();
    if (dirty.steps) drawSteps();
    if (dirty.timeline) drawTimeline();
    if (dirty.ending) drawEnding();
    if (dirty.lack) drawLack();
    if (picked !== null && (dirty.all || dirty.instances.has(picked) || dirty.lack || dirty.hosts)) drawPicked();
    Object.assign(dirty, { all: false, hosts: false, steps: false, timeline: 0, phase: false, ending: false, lack: false });
    dirty.instances.clear();
    dirty.zones.clear();
    tick();
  }

  function drawCell(index) {
    const letter = now.instances[index];
    cells[index].className = "i " + letter + (index === picked ? " at" : "");
    cells[index].setAttribute("aria-label", `${region.instances[index].name}: ${WORD[letter] || "unknown"}`);
  }

  function drawHosts() {
    hosts.forEach((own, index) => {
      const bits = Number(now.hosts[index]);
      const kind = "host" + (bits & 1 ? "" : " off") + (bits & 2 ? " fault" : "");
      if (own.className === kind) return;
      own.className = kind;
      const state = (bits & 1 ? "has power" : "no power") + (bits & 2 ? ", a fault is in force" : "");
      own.setAttribute("aria-label", `${region.hosts[index].name}: ${state}`);
    });
  }

  function drawCounts() {
    const sums = Object.fromEntries(STANDS.map(([letter]) => [letter, 0]));
    for (const zone of zones) {
      let active = 0;
      for (const index of zone.members) {
        sums[now.instances[index]] += 1;
        if (now.instances[index] === "a") active += 1;
      }
      const on = region.hosts.filter((host, index) => region.zones[host.zone] === zone.name && Number(now.hosts[index]) & 1).length;
      say(zone.counts, `${active} of ${zone.members.length} active${on ? "" : " · no power"}`);
      zone.own.classList.toggle("dark", on === 0);
    }
    STANDS.forEach(([letter], index) => say(at("legend").children[index].children[1], sums[letter].toLocaleString("en")));
    const all = cells.length;
    say(at("active"), `${sums.a.toLocaleString("en")} / ${all.toLocaleString("en")}`);
    say(at("active-note"), sums.a === all ? "everybody" : `${(all - sums.a).toLocaleString("en")} not`);
  }

  // Windows of the last two minutes of the run's time, of a run that is younger all of them: where none came, nothing is
  // drawn.
  function drawCustomers(index) {
    const [zone, own] = [now.zones[index], zones[index]];
    const last = zone.windows[zone.windows.length - 1];
    if (!last) return;
    const paths = ["", "", ""];
    const each = WINDOWS_MAX / Math.min(WINDOWS_MAX, Math.max(30, now.t_ms / 1000));
    for (const [end, over, sent, answered, degraded] of zone.windows) {
      const right = WINDOWS_MAX - ((now.t_ms - end) / 1000) * each;
      const wide = Math.max((over / 1000) * each, 0.5);
      if (sent === 0 || right - wide < 0) continue;
      const bar = (from, part) => (part > 0 ? `M${(right - wide).toFixed(2)} ${from.toFixed(2)}h${wide.toFixed(2)}v${(-part).toFixed(2)}h-${wide.toFixed(2)}z` : "");
      const [full, part] = [((answered - degraded) / sent) * 30, (degraded / sent) * 30];
      // One failure of a thousand must be seen.
      const bad = answered < sent ? Math.max(30 - full - part, 2) : 0;
      paths[0] += bar(30, full);
      paths[1] += bar(30 - full, part);
      paths[2] += bar(bad, bad);
    }
    own.bars.forEach((path, kind) => name(path, "d", paths[kind]));
    const failed = zone.sent - zone.answered;
    own.p99 = last[5];
    own.total = `${failed.toLocaleString("en")} of ${zone.sent.toLocaleString("en")} failed`;
  }

  const lately = (zone) => zone.windows.reduce(
    ([sent, answered], one) => (one[0] + LATELY > moment() ? [sent + one[2], answered + one[3]] : [sent, answered]), [0, 0]);

  // What depends on the time alone as well: a zone whose canary is silent.
  function drawAnswered() {
    let [all, well] = [0, 0];
    now.zones.forEach((zone, index) => {
      const own = zones[index];
      const last = zone.windows[zone.windows.length - 1];
      if (!last) return;
      const [sent, answered] = lately(zone);
      [all, well] = [all + sent, well + answered];
      const silent = now.ending ? 0 : moment() - last[0];
      const figure = sent && silent < UNHEARD ? share(answered, sent) : "–";
      const low = sent > 0 && silent < UNHEARD && answered * 1e6 < sent * region.promised_ppm;
      say(own.figure, figure);
      own.figure.classList.toggle("low", low);
      const heard = silent >= UNHEARD ? `canary not heard for ${seconds(silent)}` : `p99 ${(own.p99 / 1000).toFixed(1)} ms`;
      say(own.note, `${heard} · ${own.total}`);
      name(own.svg, "aria-label", `customers in ${own.name}: ${figure === "–" ? "canary not heard" : figure + " answered"}, ${own.total} since the beginning`);
    });
    say(at("answered"), all ? share(well, all) : "–");
    at("answered").parentElement.classList.toggle("low", all > 0 && well * 1e6 < all * region.promised_ppm);
    say(at("answered-note"), `last 10 s, all zones; promised ${region.promised_ppm / 10000} %`);
  }

  function drawPhase() {
    const here = now.phase ? RAIL.indexOf(now.phase.phase) : -1;
    Array.from(at("rail").children).forEach((one, index) => {
      one.className = index < here ? "past" : "";
      if (index === here) one.setAttribute("aria-current", "step");
      else one.removeAttribute("aria-current");
    });
    title();
  }

  function title() {
    const state = now.ending && now.ending.verdict ? SIGN[now.ending.verdict] + " " + now.ending.verdict : now.phase ? now.phase.phase : "not begun";
    document.title = `${state} · ${region.scenario} · blackstart`;
  }

  function due(step, index) {
    if (now.steps[index].state !== "planned" || step.after) return null;
    const began = now.rounds[step.round];
    return began === null || began === undefined ? null : began + step.at_ms;
  }

  function drawSteps() {
    region.steps.forEach((step, index) => {
      const [own, state] = [steps[index], now.steps[index]];
      const [sign, word] = STEP[state.state];
      const healed = now.steps[step.pair].state === "done";
      const force = step.act === "inject" && state.state === "done" && !healed && !step.passes;
      own.own.className = state.state + (force ? " force" : "");
      say(own.sign, force ? "▼" : sign);
      say(own.state, `, ${word}`);
      const looks = { none: "", holds: force ? "in force, and seen to be" : "was seen to be in force", fails: "is not in force" }[state.proof];
      const waits = state.state === "planned" && step.after ? `once ${step.after}` : "";
      say(own.proof, waits || looks || (force ? "in force" : ""));
      own.proof.className = "proof " + state.proof;
    });
  }

  function drawLack() {
    const named = new Map();
    for (const missing of Object.values(now.missing)) {
      for (const service of missing) named.set(service, (named.get(service) || 0) + 1);
    }
    const most = Array.from(named).sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, 6);
    show(at("lack"), most.length > 0);
    const parts = most.map(([service, times], index) => {
      const one = make("span");
      one.append((index ? ", " : "") + region.services[service] + " ", make("b", "", `(${count(times, "instance")})`));
      return one;
    });
    at("lack").replaceChildren("Named as missing: ", ...parts, named.size > most.length ? `, and ${named.size - most.length} more` : "");
  }

  // ---- The timeline: newest first; it stands while somebody reads it. ----

  let waiting = [];
  let reading = false;
  function drawTimeline() {
    const fresh = now.timeline.slice(-dirty.timeline);
    waiting.push(...fresh);
    waiting.splice(0, waiting.length - TIMELINE_MAX);
    flush();
  }

  function flush() {
    const list = at("timeline");
    if (reading && list.children.length) {
      say(at("paused"), waiting.length ? `${waiting.length} newer, shown when you leave` : "held while you read");
      show(at("paused"), true);
      return;
    }
    show(at("paused"), false);
    const first = list.children.length === 0;
    for (const entry of waiting) {
      const [sign, means] = MARK[entry.weight] || MARK.note;
      const own = make("li", entry.weight + (first ? "" : " fresh"));
      const mark = make("span", "sign", sign);
      mark.setAttribute("aria-hidden", "true");
      const text = make("span", "text");
      if (means) text.append(make("span", "unseen", means));
      text.append(entry.text);
      text.append(" ", make("span", "id", `e${entry.id}`));
      own.append(mark, text, make("span", "when", `+${(entry.t_ms / 1000).toFixed(1)} s`));
      list.prepend(own);
    }
    waiting = [];
    while (list.children.length > TIMELINE_MAX) list.lastElementChild.remove();
    show(at("older"), now.told > TIMELINE_MAX);
    say(at("older"), `${(now.told - TIMELINE_MAX).toLocaleString("en")} older ones are in events.jsonl.`);
  }

  const frame = at("timeline-frame");
  function attend() {
    const is = frame.matches(":hover") || frame === document.activeElement || frame.contains(document.activeElement);
    if (is === reading) return;
    reading = is;
    if (now) flush();
    else show(at("paused"), false);
  }
  for (const kind of ["pointerenter", "pointerleave", "focusin", "focusout"]) frame.addEventListener(kind, () => setTimeout(attend, 0));

  // ---- The end. ----

  function drawEnding() {
    const ending = now.ending;
    show(at("unread"), now.unread > 0);
    say(at("unread"), `${count(now.unread, "line")} of events.jsonl could not be read by this version.`);
    if (!ending) return;
    const kind = ending.verdict || ending.how;
    at("verdict").className = "verdict v-" + kind;
    say(at("verdict-sign"), SIGN[kind] || "");
    say(at("verdict-word"), { judging: "The run is over; it is being judged", lost: "No verdict", held: "Held", violated: "Violated", inconclusive: "Inconclusive", "not-judged": "Not judged" }[kind] || kind);
    write(at("verdict-text"), ending.findings[0] || ending.text || (kind === "held" ? "Everything that this game day judged was as it must be." : ""));
    at("invariants").replaceChildren(...ending.invariants.map((one) => {
      const own = make("li", "v-" + one.verdict, `${SIGN[one.verdict]} ${one.id} ${one.verdict}`);
      own.title = one.reason;
      return own;
    }));
    show(at("invariants"), ending.invariants.length > 0);
    show(at("report"), ending.how === "judged");
    show(at("verdict"), true);
    if (ending.how !== "judging") at("said").textContent = `The run has ended: ${at("verdict-word").textContent}`;
    show(at("halt"), false);
    title();
  }

  // What stands between back-ticks is code.
  function write(one, text) {
    const parts = text.split("`");
    if (parts.length % 2 === 0) one.textContent = text;
    else one.replaceChildren(...parts.map((part, index) => (index % 2 ? make("code", "", part) : part)));
  }

  function announce(phase) {
    at("said").textContent = `Phase: ${phase.phase}` + (region.rounds > 1 ? `, round ${phase.round + 1} of ${region.rounds}` : "");
  }

  // ---- What moves with the clock. ----

  // The run's clock now: what was last told and what has passed since, as long as that can be believed.
  function moment() {
    return now.ending ? now.t_ms : now.t_ms + Math.min(performance.now() - heard, 3000);
  }

  function tick() {
    if (!now || !region) return;
    const t = moment();
    say(at("clock"), now.phase ? clock(t) : "–");
    say(at("clock-note"), now.ending ? "the run is over" : now.phase ? "since the run began" : "not begun");
    const phase = now.phase;
    if (phase) {
      say(at("phase"), phase.phase + (region.rounds > 1 && phase.phase !== "ended" ? `, round ${phase.round + 1} of ${region.rounds}` : ""));
      const [key, how] = LIMIT[phase.phase] || [];
      const limit = key ? region.windows[key] : 0;
      const gone = Math.max(0, t - phase.since_ms);
      show(at("phase-bar"), limit > 0);
      if (limit) at("phase-bar").value = Math.min(1, gone / limit);
      say(at("phase-note"), phase.phase === "ended" ? "" : limit ? `${seconds(gone)} ${how} ${seconds(limit)}` : `for ${seconds(gone)}`);
    }
    tickSteps(t);
    drawAnswered();
  }

  function tickSteps(t) {
    let soonest = null;
    region.steps.forEach((step, index) => {
      const state = now.steps[index];
      const when = due(step, index);
      if (when !== null && (soonest === null || when < soonest[0])) soonest = [when, step];
      const over = now.ending && state.state === "planned";
      const text = over ? "not done" : state.state === "planned" ? (when === null ? `+${seconds(step.at_ms)}` : `in ${seconds(Math.max(0, when - t))}`) : `+${(state.t_ms / 1000).toFixed(1)} s`;
      say(steps[index].when, text);
    });
    const under = region.steps.findIndex((_, index) => now.steps[index].state === "begun");
    const later = region.steps.findIndex((_, index) => now.steps[index].state === "planned");
    if (now.ending) { say(at("next"), "–"); say(at("next-note"), "the run is over"); }
    else if (under >= 0) { say(at("next"), region.steps[under].fault); say(at("next-note"), `${deed(region.steps[under])}: under way`); }
    else if (soonest) { say(at("next"), `${soonest[1].fault} in ${seconds(Math.max(0, soonest[0] - t))}`); say(at("next-note"), deed(soonest[1])); }
    else if (later >= 0) {
      const step = region.steps[later];
      say(at("next"), step.fault);
      say(at("next-note"), step.after ? `once ${step.after}` : `${deed(step)}, ${seconds(step.at_ms)} into round ${step.round + 1}`);
    } else { say(at("next"), "none"); say(at("next-note"), "every step was taken"); }
  }
  setInterval(() => { if (!document.hidden) tick(); }, 250);

  // ---- One instance at a time, by pointer and by keys. ----

  let picked = null;
  function pick(index) {
    const before = picked;
    picked = index;
    for (const one of [before, index]) {
      if (one === null || !cells[one]) continue;
      cells[one].classList.toggle("at", one === index);
      cells[one].setAttribute("aria-selected", String(one === index));
    }
    drawPicked();
  }

  function drawPicked() {
    if (picked === null || !now) return;
    const instance = region.instances[picked];
    const host = region.hosts[instance.host];
    const letter = now.instances[picked];
    const own = STANDS.find(([one]) => one === letter) || ["", "unknown", ""];
    const bits = Number(now.hosts[instance.host]);
    const lacks = (now.missing[picked] || []).map((service) => region.services[service]);
    const strong = make("strong", "", instance.name);
    const hint = ` of ${region.services[instance.service]}, on ${host.name} in ${region.zones[host.zone]}: ${own[1]} (${own[2]})`;
    at("picked").replaceChildren(strong, hint + (lacks.length ? `; it names as missing: ${lacks.join(", ")}` : "") + (bits & 2 ? "; a fault is in force on its host" : ""));
  }

  const cellOf = (target) => (target && target.closest ? target.closest("[data-at]") : null);
  const map = at("zones");
  map.addEventListener("pointerover", (event) => { const own = cellOf(event.target); if (own) pick(Number(own.dataset.at)); });
  map.addEventListener("focusin", (event) => {
    const own = cellOf(event.target);
    if (!own) return;
    // One stop for Tab in each zone: whoever had the focus last.
    for (const one of own.closest(".hosts").querySelectorAll("[tabindex='0']")) one.tabIndex = -1;
    own.tabIndex = 0;
    pick(Number(own.dataset.at));
  });
  map.addEventListener("keydown", (event) => {
    const own = cellOf(event.target);
    if (!own || event.altKey || event.ctrlKey || event.metaKey) return;
    const zone = zones.findIndex((one) => one.list.contains(own));
    const next = { ArrowRight: () => beside(zone, own, 1), ArrowLeft: () => beside(zone, own, -1), ArrowDown: () => below(zone, own, 1), ArrowUp: () => below(zone, own, -1), Home: () => cells[zones[zone].members[0]], End: () => cells[zones[zone].members.at(-1)] }[event.key];
    const found = next && next();
    if (!next) return;
    event.preventDefault();
    if (found) found.focus();
  });

  function beside(zone, own, by) {
    const members = zones[zone].members;
    return cells[members[members.indexOf(Number(own.dataset.at)) + by]];
  }

  // The nearest in the next row; what is drawn decides what that is.
  function below(zone, own, by) {
    const here = own.getBoundingClientRect();
    let best = null;
    for (const index of zones[zone].members) {
      const there = cells[index].getBoundingClientRect();
      const down = (there.top - here.top) * by;
      if (down < 2) continue;
      const far = down * 100 + Math.abs(there.left - here.left);
      if (best === null || far < best[0]) best = [far, cells[index]];
    }
    return best && best[1];
  }

  // ---- The line to the server. ----

  let source = null;
  let again = null;
  let last = "";
  let word = 0; // When anything was heard, a heartbeat too.
  let wait = 2000;

  function state(is, text) {
    name(at("connection"), "data-is", is);
    say(at("connection-text"), text);
  }

  function close() {
    if (source) source.close();
    source = null;
    clearTimeout(again);
  }

  function open() {
    close();
    word = performance.now();
    const after = last ? `?after=${encodeURIComponent(last)}` : "";
    source = new EventSource(`/api/runs/${encodeURIComponent(RUN)}/live${after}`);
    const on = (kind, act) => source.addEventListener(kind, (event) => {
      heard = word = performance.now();
      if (event.lastEventId) last = event.lastEventId;
      act(event.data ? JSON.parse(event.data) : null);
      soon();
    });
    on("region", (data) => { region = data; picked = null; build(); });
    on("now", (data) => { data.instances = data.instances.split(""); whole(data); });
    on("delta", apply);
    on("behind", (data) => {
      show(at("behind"), true);
      say(at("behind"), `This page fell behind and left out ${count(data, "update")}; what it shows is up to date.`);
    });
    source.addEventListener("beat", () => { word = performance.now(); });
    source.addEventListener("end", () => { close(); state("ended", "the run has ended"); });
    source.addEventListener("open", () => { wait = 2000; word = performance.now(); state("connected", "connected"); });
    source.addEventListener("error", () => {
      state("lost", "reconnecting");
      // The browser tries again by itself, but for a refusal.
      if (source && source.readyState === EventSource.CLOSED) retry();
    });
  }

  function retry() {
    close();
    state("lost", `not connected, trying again in ${seconds(wait)}`);
    again = setTimeout(open, wait);
    wait = Math.min(wait * 2, 30000);
  }

  setInterval(() => {
    if (source && performance.now() - word > SILENT) { state("lost", "reconnecting"); open(); }
  }, 1000);

  // ---- Halt: asked once, by pointer or keys. ----

  const ask = at("ask");
  if (document.body.dataset.halt === "yes") {
    show(at("halt"), true);
    at("halt").addEventListener("click", () => { ask.showModal(); at("halt-no").focus(); });
    at("halt-no").addEventListener("click", () => ask.close());
    at("halt-yes").addEventListener("click", halt);
  }

  async function halt() {
    ask.close();
    at("halt").disabled = true;
    const tell = (text) => { show(at("halted"), true); say(at("halted"), text); };
    tell("Halting: everything is healed and removed first.");
    try {
      const answer = await fetch("/api/halt", {
        method: "POST",
        credentials: "same-origin",
        headers: { "X-Blackstart": "1", "Content-Type": "application/json" },
        body: "{}",
      });
      if (answer.ok) return;
      const why = (await answer.text()).slice(0, 200);
      tell(`The server refused to halt (${answer.status}): ${why}`);
    } catch (error) {
      tell(`The server could not be asked to halt: ${error.message}. Use blackstart halt.`);
    }
    at("halt").disabled = false;
  }

  open();
})();
