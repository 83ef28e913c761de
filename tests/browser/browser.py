"""A Chromium that tests share, and what they look for in the page.

    page = Page(web)
    page.open("#/jobs")
    page.click("button", "Run now")
"""

import atexit
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))

from selenium import webdriver  # noqa: E402
from selenium.common.exceptions import StaleElementReferenceException  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

from harness import wait_for  # noqa: E402

SECONDS = 30  # a loaded machine is slow
WIDE, PHONE = (1280, 860), (390, 780)
_driver = None


def driver():
    """Started once, ended with the process."""
    global _driver
    if not _driver:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en-GB"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        environment = {**os.environ, "TZ": "America/New_York"}
        _driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver", env=environment), options=options)
        atexit.register(_driver.quit)
    return _driver


def axe():
    """The text of axe-core, which is fetched once."""
    fetched = subprocess.run([os.path.join(ROOT, "vendor", "npm-fetch"), "axe-core"], check=True, timeout=120,
                             stdout=subprocess.PIPE, text=True)
    with open(os.path.join(fetched.stdout.strip(), "axe.min.js")) as file:
        return file.read()


class Page:
    """The dashboard in the browser. base: its address, with the path that it stands below."""

    def __init__(self, web, base=None, size=WIDE):
        self.driver = driver()
        self.base = base or f"http://localhost:{web.port}/"
        self.size(*size)
        self.dark(False)

    def size(self, width, height):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def dark(self, on):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": "dark" if on else "light"}]})

    def open(self, hash=""):
        """A fresh page, nothing left of the one before."""
        self.driver.get("about:blank")
        self.driver.get(self.base + hash)
        self.settled()

    def settled(self):
        self.wait(lambda: self.js("return document.readyState === 'complete' && "
                                  "!!document.querySelector('main h1') && "
                                  "!document.querySelector('main').hasAttribute('aria-busy')"), "settled page")

    def wait(self, predicate, what, seconds=SECONDS):
        def look():
            try:
                return predicate()
            except StaleElementReferenceException:
                return None
        return wait_for(look, seconds, f"{what} in: {self.text()[-1500:]}")

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def text(self, css="body"):
        return self.js("return document.querySelector(arguments[0])?.innerText ?? ''", css)

    def shows(self, text, css="body"):
        self.wait(lambda: text in self.text(css), f"'{text}' in {css}")

    def all(self, css, text=""):
        return [element for element in self.driver.find_elements(By.CSS_SELECTOR, css)
                if text in element.text and element.is_displayed()]

    def find(self, css, text=""):
        return self.wait(lambda: next(iter(self.all(css, text)), None), f"{css} with '{text}'")

    def click(self, css, text=""):
        def pressed():
            element = next(iter(self.all(css, text)), None)
            if element:
                element.click()
            return element
        self.wait(pressed, f"{css} with '{text}'")

    def type(self, css, text):
        element = self.find(css)
        element.clear()
        element.send_keys(text)

    def keys(self, text):
        webdriver.ActionChains(self.driver).send_keys(text).perform()

    def choose(self, css, value):
        self.js("const box = document.querySelector(arguments[0]); box.value = arguments[1];"
                "box.dispatchEvent(new Event('change', {bubbles: true}))", css, value)

    def moment(self, css, text):
        """Into a datetime-local field."""
        self.js("document.querySelector(arguments[0]).value = arguments[1]", css, text)

    def hash(self):
        return self.js("return location.hash")

    def complaints(self):
        """What the browser's console said that a good page does not make it say."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] == "SEVERE" and entry["source"] != "network"]

    def violations(self, source, rules=None):
        """What axe finds that is serious or worse; rules: only these."""
        if not self.js("return !!window.axe"):
            self.js(source)
        found = self.driver.execute_async_script(
            "const [rules, done] = arguments;"
            "axe.run(document, {resultTypes: ['violations'], ...(rules && {runOnly: rules})}).then((r) => done(r.violations.map("
            "(v) => [v.impact, v.id, v.nodes.map((n) => n.html + ' ' + n.failureSummary).slice(0, 3)])))", rules)
        return [each for each in found if each[0] in ("serious", "critical")]

    def shot(self, path):
        self.driver.save_screenshot(path)


__all__ = ["Keys", "PHONE", "Page", "WIDE", "axe", "driver"]
