"""The live page in the lab, in a real browser: the real agent, the page beside it, real hosts, real faults.

The test runs this file as a program inside the lab (`namespaces.enter`), with a browser in the SCS's namespace.
"""

# ruff: noqa: S603  # the commands are our own

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By
from support import as_program
from support.browser import Screen, chromium, why_no_browser
from switchover.agent.lab.network import namespaces
from switchover.agent.lab.network.segment import run_in
from switchover.agent.lab.real_stage import RealStage
from switchover.agent.lab.settings import LabSettings


@pytest.mark.namespaces
def test_a_real_fault_in_the_lab_is_seen(tmp_path):
    reason = namespaces.why_not() or why_no_browser()
    if reason is not None:
        pytest.skip(reason)
    command = as_program.command(__file__, "enter")
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == [
        "as it should be: every primary is on host1, and every component has a backup",
        "not as it should be: SIP Server: no redundancy: primary on host2, down on host1",
        "as it should be: every primary is on host2, and every component has a backup",
        "as it should be: every primary is on host1, and every component has a backup",
        "not as it should be: VIP: on host2; host1 is lost and may hold it too",
    ]


async def _in_the_lab() -> None:
    """What the page says at first, after a crash, a start, an operator's switchover, and the loss of a host."""
    directory = namespaces.prepare()
    stage = RealStage(directory, LabSettings(detection_ms=500))
    with (directory / "switchover.toml").open("a") as file:
        file.write("[page]\nport = 4900\n")
    try:
        await stage.start()
        page = await _page(directory)
        command = run_in("scs", as_program.command(__file__, "look"))
        pipe = asyncio.subprocess.PIPE
        looking = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        seen = [await _next(looking)]
        await stage.crash("SIP_Server_1")
        seen.append(await _next(looking))
        await stage.start_application("SIP_Server_1")
        seen += [await _next(looking), await _next(looking)]
        await stage.lose(1)
        seen.append(await _next(looking))
        await looking.wait()
        page.terminate()
        await page.wait()
        print(json.dumps(seen))
    finally:
        await stage.close()


async def _page(directory: Path) -> asyncio.subprocess.Process:
    """`switchover page` beside the agent, when it is ready."""
    argv = [sys.executable, "-m", "switchover.agent", "page", "-c", str(directory / "switchover.toml")]
    page = await asyncio.create_subprocess_exec(*run_in("scs", argv), stderr=asyncio.subprocess.PIPE)
    assert page.stderr is not None
    async with asyncio.timeout(60):
        while b"the live page is at" not in await page.stderr.readline():
            pass
    return page


async def _next(looking: asyncio.subprocess.Process) -> Any:
    assert looking.stdout is not None
    async with asyncio.timeout(60):
        return json.loads(await looking.stdout.readline())


def _look() -> None:
    """In the SCS's namespace: watch the page, tell what it says, and switch over when it is time."""
    browser = chromium()
    try:
        screen = Screen(browser, "http://127.0.0.1:4900/")
        for words in ("on host1, and every", "down on host1", "on host2, and every"):
            print(json.dumps(screen.shows("#whole", words)), flush=True)
        screen.tab_to("Switch to host1 …")
        screen.press(Keys.ENTER)
        screen.until(lambda: browser.find_element(By.ID, "confirm").is_enabled())
        browser.find_element(By.ID, "confirm").click()
        for words in ("on host1, and every", "host1 is lost and may hold"):
            print(json.dumps(screen.shows("#whole", words)), flush=True)
    finally:
        browser.quit()


if __name__ == "__main__":
    match sys.argv[1]:
        case "enter":
            raise SystemExit(namespaces.enter(as_program.command(__file__, "inside")))
        case "inside":
            asyncio.run(_in_the_lab())
        case _:
            _look()
