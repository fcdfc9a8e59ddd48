"""Takes the README's pictures of the live page: `python tests/page_screenshots.py DIRECTORY`, on simulated hosts."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from support.browser import PHONE_PX, Screen, chromium, lit
from support.page_stage import PageStage


def take(directory: Path) -> None:
    """As it should be, in light; after a host was lost, in dark, and on a phone; the plan of a switchover."""
    directory.mkdir(exist_ok=True)
    browser = chromium()
    try:
        with TemporaryDirectory() as place, PageStage(Path(place), "voicemail") as stage:
            screen = Screen(browser, stage.url, (960, 1080))
            screen.until(lambda: lit(screen, "VIP-VIP") == ["held_1"], 120)
            browser.save_screenshot(str(directory / "light.png"))
            screen.tab_to("Switch to host2 …")
            browser.switch_to.active_element.click()
            screen.shows("#outcome", "Outcome: ")
            screen.until(lambda: browser.find_element("id", "confirm").is_enabled())
            browser.save_screenshot(str(directory / "plan.png"))
            stage.run(stage.stage.lose(1))
            dark = [{"name": "prefers-color-scheme", "value": "dark"}]
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": dark})
            screen = Screen(browser, stage.url, (960, 1080))
            screen.until(lambda: lit(screen, "VIP-VIP") == ["owed_2"], 120)
            browser.save_screenshot(str(directory / "dark.png"))
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
            screen = Screen(browser, stage.url, (PHONE_PX[0], 1080))
            screen.shows("#lines", "unknown")
            browser.save_screenshot(str(directory / "phone.png"))
            browser.get("about:blank")
    finally:
        browser.quit()


if __name__ == "__main__":
    take(Path(sys.argv[1]))
