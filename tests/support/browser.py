"""A headless Chromium that looks at the live page."""

import shutil
from collections.abc import Callable
from typing import TypeVar

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from support.page_stage import PATIENCE_S

T = TypeVar("T")

PHONE_PX, DESK_PX = (360, 740), (1100, 900)


def chromium() -> Chrome:
    """A headless Chromium of this machine, which asks no other machine for anything."""
    options = ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en-US"):
        options.add_argument(argument)
    options.add_argument("--disable-background-networking")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return Chrome(options=options, service=Service(shutil.which("chromedriver")))


def why_no_browser() -> str | None:
    """Why there is no browser here; None if there is."""
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"needs {' and '.join(missing)} (Debian packages chromium and chromium-driver)" if missing else None


class Screen:
    """What is on the page; everything that is looked for is waited for."""

    def __init__(self, browser: Chrome, url: str, size: tuple[int, int] = DESK_PX) -> None:
        self.browser = browser
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.get(url)

    def until(self, condition: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
        """Wait until the condition is true; what the page replaces meanwhile is looked at again."""
        return WebDriverWait(self.browser, patience_s, 0.05, [WebDriverException]).until(lambda _: condition())

    def text(self, css: str) -> str:
        return self.browser.find_element(By.CSS_SELECTOR, css).text

    def shows(self, css: str, text: str) -> str:
        """Wait until the text stands there; returns all that stands there then."""

        def found() -> str:
            now = self.text(css)
            return now if text in now else ""

        try:
            return self.until(found)
        except WebDriverException:
            raise AssertionError(f"{text!r} is not in {self.text(css)!r}") from None

    def marks(self) -> set[str]:
        """How everything stands that is shown of the solution."""
        script = (
            "return [...document.querySelectorAll('#whole, main .fact')].map((each) => each.className.split(' ')[1])"
        )
        return set(self.browser.execute_script(script))

    def press(self, *keys: str) -> None:
        ActionChains(self.browser).send_keys(*keys).perform()

    def focused(self) -> str:
        """The text of what has the focus."""
        return self.browser.execute_script("return document.activeElement.textContent.trim()")

    def tab_to(self, text: str) -> None:
        """Go on with the tabulator until this has the focus."""
        for _ in range(20):
            if self.focused() == text:
                return
            self.press(Keys.TAB)
        raise AssertionError(f"{text!r} cannot be reached by keyboard")

    def complaints(self) -> list[str]:
        """What the browser complains of: errors of the script, what the policy blocked, what was not found."""
        return [entry["message"] for entry in self.browser.get_log("browser")]


def lit(screen: Screen, name: str) -> list[str]:
    """The states that are lit in a diagram."""
    script = (
        "return [...document.getElementById(arguments[0]).querySelectorAll('.lit')].map((each) => each.dataset.state)"
    )
    return screen.browser.execute_script(script, f"diagram-{name}")
