"""Uses the pages of a server as a person does: logs in, begins a game day, watches it, halts it, and lets the schedule go on;
once with the pointer, once with keys alone. Says everything that is wrong, one line each. Refuses to start servers.

serve.py URL: the token is in BLACKSTART_TOKEN, the browser is named by BLACKSTART_CHROMIUM. Exit status 1 where anything is
wrong. With BLACKSTART_BROWSER_OUT, pictures are left there.
"""

import os
import sys
from pathlib import Path
from urllib.parse import urljoin

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, sync_playwright

WIDE = {"width": 1360, "height": 900}
NARROW = {"width": 360, "height": 740}
# A region is made and removed; a machine may be busy.
PATIENCE = 120_000


class Person:
    """Somebody at a browser, and what was found wrong."""

    def __init__(self, browser, url):
        self.browser, self.url, self.wrong = browser, url, []

    def say(self, text):
        self.wrong.append(text)

    def open(self, path="/", scheme="light", viewport=None, state=None):
        """Opens a page. Whatever it says, and whatever it asks of anybody else, is wrong."""
        context = self.browser.new_context(color_scheme=scheme, viewport=viewport or WIDE, storage_state=state)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: self.say(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.say(f"script error: {error}"))
        own = urljoin(self.url, "/")
        page.on("request", lambda request: request.url.startswith((own, "data:")) or self.say(f"request: {request.url}"))
        page.goto(urljoin(self.url, path))
        return page

    def audit(self, page, what):
        found = Axe().run(page, options={"resultTypes": ["violations"]})
        for one in found.response["violations"]:
            if one["impact"] in ("serious", "critical"):
                self.say(f"{what}: {one['id']}: {one['help']}: {one['nodes'][0]['html'][:120]}")

    def keep(self, page, name):
        """For people, where they ask for it."""
        folder = os.environ.get("BLACKSTART_BROWSER_OUT")
        if folder:
            page.screenshot(path=str(Path(folder) / f"serve-{name}.png"), full_page=True)

    def fits(self, page, what):
        too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if too_wide > 0:
            self.say(f"{what}: the page is {too_wide} px wider than its window")


def state(page, wanted):
    page.wait_for_selector(f"#state:text-is('{wanted}')")


def with_pointer(person):
    page = person.open("/")
    if not page.url.endswith("/login"):
        person.say(f"who is not known is not led to the log-in, but to {page.url}")
    page.fill("#token", "nobody-has-this-token-at-all")
    # The browser itself tells of an answer that is an error.
    heard = len(person.wrong)
    page.click("#login button")
    page.wait_for_selector("#asked:text-matches('Not logged in')")
    person.wrong[heard:] = [text for text in person.wrong[heard:] if "401" not in text]
    page.fill("#token", os.environ["BLACKSTART_TOKEN"])
    page.click("#login button")
    page.wait_for_selector("#begin:not([hidden])")
    person.audit(page, "home")
    page.select_option("#scenario", "minimal")
    page.select_option("#world", "docker")
    page.click("#form button")
    page.click("#now a")
    page.wait_for_selector("#connection[data-is='connected']")
    page.wait_for_selector("#zones .i.a", state="attached")
    person.keep(page, "watched")
    page.wait_for_selector("#phase:text-matches('outage', 'i')")
    page.click("#halt")
    # Asked once more, in the page.
    page.click("#halt-yes")
    page.wait_for_selector("#connection[data-is='ended']")
    page.goto(urljoin(person.url, "/"))
    state(page, "halted")
    page.wait_for_selector("#runs .outcome.interrupted")
    why = page.inner_text("#runs tr:first-child")
    if "halted by operator" not in why:
        person.say(f"the run does not say who halted it: {why}")
    page.click("#runs tr:first-child a:text-is('report')")
    page.wait_for_selector("h1")
    page.go_back()
    return page


def press_until(page, selector):
    """Tabs to a part of the page, as somebody without a pointer does."""
    for _ in range(60):
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return True
        page.keyboard.press("Tab")
    return False


def with_keys(person, page):
    page.wait_for_selector("#resume:not([hidden])")
    page.focus("body")
    for selector, key, wanted in [("#resume", "Enter", "waiting")]:
        if not press_until(page, selector):
            person.say(f"keys alone do not reach {selector}")
        page.keyboard.press(key)
        state(page, wanted)
    if not press_until(page, "#scenario"):
        person.say("keys alone do not reach the scenario")
    page.keyboard.type("minimal")
    if not press_until(page, "#world"):
        person.say("keys alone do not reach the world")
    page.keyboard.type("virtual")
    if not press_until(page, "#form button"):
        person.say("keys alone do not reach the button that begins")
    page.keyboard.press("Enter")
    page.wait_for_selector("#runs .outcome.held")
    if not press_until(page, "#halt"):
        person.say("keys alone do not reach the button that halts")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    state(page, "halted")
    person.keep(page, "home")
    narrow = person.open("/", "dark", NARROW, page.context.storage_state())
    narrow.wait_for_selector("#runs .outcome.held", state="attached")
    person.fits(narrow, "narrow")
    person.audit(narrow, "home in the dark")
    person.keep(narrow, "home-narrow-dark")


def main():
    with sync_playwright() as playwright:
        # A container's root has no right to the browser's own sandbox; the page is ours.
        browser = playwright.chromium.launch(
            executable_path=os.environ["BLACKSTART_CHROMIUM"], args=["--no-sandbox", "--disable-gpu"]
        )
        person = Person(browser, sys.argv[1])
        try:
            with_keys(person, with_pointer(person))
        except Error as error:
            person.say(str(error).splitlines()[0] + " … " + " ".join(str(error).split())[-300:])
        browser.close()
    print("\n".join(person.wrong))
    return 1 if person.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
