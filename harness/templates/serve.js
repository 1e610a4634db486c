"use strict";
// What the server is at, the calendar ahead and the runs behind. Everything that comes from it is put in as text.

const byId = (id) => document.getElementById(id);
const MARK = { "X-Blackstart": "1", "Content-Type": "application/json" };
const OUTCOMES = { pending: "…", held: "H", violated: "V", inconclusive: "?", interrupted: "I", refused: "R" };

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function row(cells) {
  const made = document.createElement("tr");
  for (const cell of cells) {
    const place = document.createElement("td");
    if (cell instanceof Node) place.append(cell);
    else if (cell && cell.when) { place.className = "when"; place.textContent = cell.when; }
    else place.textContent = cell ?? "";
    made.append(place);
  }
  return made;
}

function link(href, text) {
  const made = element("a", text);
  made.href = href;
  return made;
}

const clock = (moment) => (moment ? moment.replace("T", " ").replace(/(\.\d+)?Z$/, "") : "");

async function get(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" } });
  if (answer.status === 401) { location.assign("/login"); throw new Error("not logged in"); }
  if (!answer.ok) throw new Error(`${path} answers ${answer.status}`);
  return answer.json();
}

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", headers: MARK, body: JSON.stringify(body) });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.error || `the server answers ${answer.status}`);
  return told;
}

function showNow(seen) {
  const state = seen.halt ? "halted" : seen.state;
  const colours = { running: "pending", stopping: "interrupted", halted: "violated", "held-back": "inconclusive", waiting: "held" };
  byId("state").textContent = state;
  byId("state").className = `pill ${colours[state] || ""}`;
  const now = byId("now");
  now.replaceChildren();
  if (seen.run) now.append("Run ", link(`/runs/${seen.run}`, seen.run), seen.state === "stopping" ? " is being ended and healed." : " goes on.");
  else if (seen.state === "held-back") now.append(seen.slot ? `${seen.slot.schedule} is due and waits.` : "A run that was asked for waits.");
  else if (seen.halt) now.append(`Nothing begins: ${seen.halt.by} halted everything at ${clock(seen.halt.since)}.`);
  else now.append(seen.schedules.length ? "Nothing is due." : "Nothing goes on.");
  byId("why").textContent = [seen.why, seen.unwritten ? `${seen.unwritten} entries of the ledger are not on the disk yet: it takes no more` : ""].filter(Boolean).join(" · ");
  byId("halt").hidden = !seen.may_run || Boolean(seen.halt && !seen.run);
  byId("resume").hidden = !seen.may_run || !seen.halt;
  byId("begin").hidden = !seen.may_run;
  byId("version").textContent = `blackstart ${seen.version} · ${clock(seen.now)} UTC`;
  const who = byId("who");
  if (who.dataset.shown !== String(seen.who)) {
    who.dataset.shown = String(seen.who);
    who.replaceChildren(seen.who ? `${seen.who} ` : "only looking ", seen.who ? button("log out", leave) : link("/login", "log in"));
  }
  showRegions(seen.regions || []);
  byId("conditions-part").hidden = seen.conditions.length === 0;
  byId("conditions").replaceChildren(...seen.conditions.map((one) => row([
    one.name,
    element("span", one.well === null ? "not asked now" : one.well ? "well" : "not well", one.well === false ? "violated" : ""),
    one.what,
  ])));
}

const share = (value) => (value === null || value === undefined ? "–" : `${(Math.floor(value * 10000) / 100).toFixed(2)} %`);

function showRegions(regions) {
  const colours = { well: "held", lent: "pending", starting: "pending", building: "pending", unwell: "violated", lost: "violated", unkept: "interrupted" };
  byId("regions-part").hidden = regions.length === 0;
  byId("regions").replaceChildren(...regions.map((one) => {
    const zones = element("span");
    one.zones.forEach((zone, place) => {
      if (place) zones.append(document.createElement("br"));
      zones.append(`${zone.zone} ${share(zone.now)}, ${share(zone.hour)}, ${share(zone.day)}`);
    });
    const back = one.black_starts ? `${one.black_starts}, the last after ${((one.last_black_start_ms || 0) / 1000).toFixed(1)} s` : "none";
    return row([one.name, element("span", one.phase, `outcome ${colours[one.phase] || ""}`), `${one.active} of ${one.instances}`, zones, back, [one.why, ...one.drift].filter(Boolean).join(" · ")]);
  }));
  const names = regions.map((one) => one.name);
  const where = byId("where");
  if (where.dataset.names !== names.join()) {
    where.dataset.names = names.join();
    where.replaceChildren(new Option("of its own", ""), ...names.map((name) => new Option(name, name)));
    byId("where-part").hidden = names.length === 0;
  }
}

function button(text, onClick) {
  const made = element("button", text, "plain");
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}

async function leave() {
  await post("/api/logout", {});
  location.reload();
}

function showAhead(ahead, scheduled) {
  byId("no-schedule").hidden = scheduled;
  byId("ahead-table").hidden = !scheduled;
  byId("ahead").replaceChildren(...ahead.map((one) => row([
    { when: one.local },
    one.slot.schedule,
    one.refused ? element("span", "refused", "outcome refused") : one.choice.scenario,
    one.refused || one.choice.why,
  ])));
}

function showRuns({ runs, passed }) {
  const all = [
    ...runs.map((run) => ({ ...run, at: run.begun })),
    ...passed.map((slot) => ({ ...slot, outcome: "refused", passed: true })),
  ].sort((one, other) => (one.at < other.at ? 1 : -1)).slice(0, 50);
  byId("no-runs").hidden = all.length > 0;
  byId("runs-table").hidden = all.length === 0;
  const trend = all.slice(0, 40).reverse();
  byId("trend").replaceChildren(...trend.map((one) => {
    const made = element("span", OUTCOMES[one.outcome], one.outcome);
    made.title = `${one.outcome}: ${one.choice ? one.choice.scenario : one.slot.schedule}, ${clock(one.at)}`;
    return made;
  }));
  byId("trend").setAttribute("aria-label", `The last ${trend.length} outcomes, oldest first: ${trend.map((one) => one.outcome).join(", ")}`);
  byId("runs").replaceChildren(...all.map((one) => {
    const files = element("span");
    if (!one.passed && one.outcome !== "pending" && one.outcome !== "refused") {
      files.append(link(`/runs/${one.run}/report`, "report"), " ", link(`/runs/${one.run}/files/record.json`, "record"));
    }
    const what = one.passed ? "" : one.outcome === "refused" ? one.choice.scenario : link(`/runs/${one.run}`, one.choice.scenario);
    const slot = one.slot ? `${one.slot.schedule}${one.slots > 1 ? `, ${one.slots} times` : ""}` : `${one.by}`;
    return row([element("span", one.outcome, `outcome ${one.outcome}`), what, slot, { when: clock(one.at) }, one.why || (one.choice ? one.choice.why : ""), files]);
  }));
}

async function act(what, path, body) {
  const asked = byId("asked");
  try {
    const told = await post(path, body);
    asked.textContent = told.run ? `Run ${told.run} is about to begin.` : what;
  } catch (error) {
    asked.textContent = `Not done: ${error.message}.`;
  }
  look(true);
}

let shown = "";
let lists = 0;

async function look(all) {
  try {
    const seen = await get("/api/status");
    byId("connection").textContent = "";
    showNow(seen);
    const marks = JSON.stringify([seen.state, seen.run, seen.halt, seen.slot]);
    if (all || marks !== shown || Date.now() - lists > 10000) {
      shown = marks;
      lists = Date.now();
      const [ahead, runs] = await Promise.all([get("/api/schedule?next=10"), get("/api/runs?limit=50")]);
      showAhead(ahead, seen.schedules.length > 0);
      showRuns(runs);
    }
  } catch (error) {
    byId("connection").textContent = `no connection to the server (${error.message})`;
  }
}

async function fillScenarios() {
  const names = await get("/api/scenarios");
  byId("scenario").replaceChildren(...names.map((name) => new Option(name, name)));
}

function armHalt() {
  const halt = byId("halt");
  let armed = null;
  halt.addEventListener("click", () => {
    if (!armed) {
      halt.textContent = "Yes, halt everything now";
      armed = setTimeout(() => { armed = null; halt.textContent = "Halt everything"; }, 5000);
      return;
    }
    clearTimeout(armed);
    armed = null;
    halt.textContent = "Halt everything";
    act("Halted: what goes on is ended and healed.", "/api/halt", {});
  });
  byId("resume").addEventListener("click", () => act("The schedule goes on.", "/api/resume", {}));
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    act("", "/api/runs", { scenario: byId("scenario").value, world: byId("world").value, turn: Number(byId("turn").value) || 0, region: byId("where").value || null });
  });
}

if (byId("login")) {
  byId("login").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await post("/api/login", { token: byId("token").value });
      location.assign("/");
    } catch (error) {
      byId("asked").textContent = `Not logged in: ${error.message}.`;
    }
  });
} else {
  armHalt();
  fillScenarios().catch(() => {});
  look(true);
  setInterval(() => look(false), 1000);
}
