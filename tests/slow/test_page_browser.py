"""The live page in a real browser: what an operator sees when something fails, and what they can do about it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from support.browser import PHONE_PX, Screen, chromium, lit, why_no_browser
from support.page_stage import PageStage
from switchover.agent.configuration.settings import PageSettings
from switchover.agent.page.drawn import MACHINES, Drawings


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    if (reason := why_no_browser()) is not None:
        pytest.skip(reason)
    found = chromium()
    yield found
    found.quit()


@pytest.fixture(autouse=True)
def _quick_diagrams(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A box for each state, in a moment; one test has the real ones."""
    if "real_diagrams" in request.fixturenames:
        return

    async def draw(_: Drawings, machine: str, _view: str) -> str:
        boxes = "".join(f'<rect class="box" data-state="{state}"/>' for state in MACHINES[machine].all_states)
        return f'<svg xmlns="http://www.w3.org/2000/svg">{boxes}</svg>'

    monkeypatch.setattr(Drawings, "draw", draw)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[PageStage]:
    with PageStage(tmp_path) as found:
        yield found


@pytest.fixture
def screen(browser: Chrome, stage: PageStage) -> Iterator[Screen]:
    found = Screen(browser, stage.url)
    found.shows("#whole", "as it should be: every primary is on host1")
    yield found
    assert found.complaints() == []
    browser.get("about:blank")


def test_the_solution_at_a_glance(screen):
    assert screen.text("h1") == "lab"
    assert screen.browser.title == "fine: lab"
    rows = [row.text.split("\n") for row in screen.browser.find_elements(By.CSS_SELECTOR, "#lines tr")]
    assert rows == [
        ["link to the LCA", "both hosts are heard", "connected", "connected"],
        ["VIP", "198.51.100.10/24, 2001:db8::10/64", "on host1", "holds it", "does not hold it"],
        ["SIP Server", "primary on host1, backup on host2", "primary", "SIP_Server_1", "backup", "SIP_Server_2"],
    ]
    assert screen.text("#facts") == "Redundancy\nevery component has a backup\nPlacement\nevery primary is on host1"
    assert screen.marks() == {"fine"}
    screen.shows("#hosts", "host1\nheard ")


def test_an_application_that_crashes_is_seen_without_reloading(screen, stage):
    screen.browser.execute_script("window.isTheSame = true")
    stage.run(stage.stage.crash("SIP_Server_1"))
    screen.shows("#whole", "not as it should be: SIP Server: no redundancy: primary on host2, down on host1")
    screen.shows("#lines tr:nth-child(3)", "down\nSIP_Server_1\nprimary\nSIP_Server_2")
    screen.shows("#lines tr:nth-child(2)", "on host2\ndoes not hold it\nholds it")
    screen.shows("#incidents li:first-child", "SIP_Server_1: it failed\n")
    screen.shows("#incidents li:first-child .outcome", "SIP Server: host1 → host2; VIP: host1 → host2; redundancy lost")
    screen.until(lambda: lit(screen, "pair-SIP Server") == ["no_redundancy_2"])
    screen.until(lambda: lit(screen, "VIP-VIP") == ["held_2"])
    stage.run(stage.stage.start_application("SIP_Server_1"))
    screen.shows("#whole", "as it should be: every primary is on host2")
    screen.until(lambda: lit(screen, "pair-SIP Server") == ["redundant_2"])
    assert screen.browser.execute_script("return window.isTheSame") is True


def test_a_host_that_is_lost_is_seen_and_what_it_has_is_unknown(screen, stage):
    stage.run(stage.stage.lose(1))
    screen.shows("#lines tr:nth-child(1)", "lost")
    screen.shows(
        "#lines tr:nth-child(3)", "no redundancy: primary on host2, host1 is lost\nunknown\nSIP_Server_1\nprimary"
    )
    screen.shows("#lines tr:nth-child(2)", "on host2; host1 is lost and may hold it too\nunknown\nholds it")
    screen.until(lambda: lit(screen, "VIP-VIP") == ["owed_2"])


def test_an_incident_tells_what_was_done_and_why(screen, stage):
    stage.run(stage.stage.crash("SIP_Server_2"))
    screen.shows("#incidents li:first-child", "SIP_Server_2: it failed")
    screen.browser.find_element(By.CSS_SELECTOR, "#incidents li:first-child summary").click()
    screen.shows("#incidents li:first-child pre", "because: the backup failed")
    stage.run(stage.stage.start_application("SIP_Server_2"))
    screen.until(lambda: len(screen.browser.find_elements(By.CSS_SELECTOR, "#incidents li")) == 3)
    assert "because: the backup failed" in screen.text("#incidents li:nth-child(2) pre")  # still open


def test_when_the_agent_is_not_heard_everything_is_unknown_until_it_is(screen, stage):
    screen.until(lambda: lit(screen, "VIP-VIP") == ["held_1"])
    go_on = stage.pause()
    screen.shows("#whole", "unknown: the agent was not heard for")
    assert screen.marks() == {"unknown"}
    assert (lit(screen, "VIP-VIP"), lit(screen, "pair-SIP Server")) == ([], [])
    assert screen.browser.title == "unknown: lab"
    assert [button.is_enabled() for button in screen.browser.find_elements(By.CSS_SELECTOR, "#switches button")] == [
        False,
        False,
    ]
    go_on.set()
    screen.shows("#whole", "as it should be: every primary is on host1")
    assert screen.marks() == {"fine"}
    screen.until(lambda: lit(screen, "VIP-VIP") == ["held_1"])


def test_an_agent_that_is_gone_is_told_and_one_that_is_back_is_heard(screen, stage):
    stage.run(stage.operators.close())
    screen.shows("#whole", "unknown: no agent answers at ")
    assert "is `switchover agent` running here?" in screen.text("#whole")
    assert screen.marks() == {"unknown"}
    screen.shows("#switch-why", "not now: the agent is not heard")
    stage.run(stage.operators.start())
    screen.shows("#whole", "as it should be: every primary is on host1")


def test_a_switchover_by_keyboard_alone_shows_the_plan_and_asks_first(screen, stage):
    screen.tab_to("Switch to host2 …")
    screen.press(Keys.ENTER)
    screen.shows("#dialog-title", "Switch everything to host2?")
    assert screen.focused() == "Cancel"
    screen.shows("#outcome", "Outcome: SIP Server: host1 → host2; VIP: host1 → host2")
    commands = [item.text for item in screen.browser.find_elements(By.CSS_SELECTOR, "#plan li")]
    assert commands[:2] == ["demote SIP_Server_1", "promote SIP_Server_2"]
    screen.press(Keys.ESCAPE)
    screen.until(lambda: screen.focused() == "Switch to host2 …")
    assert stage.agent.solution.state.pairs[0].state == "redundant_1"
    screen.press(Keys.ENTER)
    screen.shows("#outcome", "host2")
    screen.until(lambda: screen.browser.find_element(By.ID, "confirm").is_enabled())
    screen.tab_to("Switch over")
    screen.press(Keys.SPACE)
    screen.shows("#reply", "Asked for: first the primary goes into backup mode")
    screen.shows("#whole", "as it should be: every primary is on host2")
    assert stage.agent.solution.state.pairs[0].state == "redundant_2"


def test_a_dialog_that_is_opened_again_at_once_shows_the_plan(screen):
    """The browser reports that it was closed only when it is open again."""
    screen.tab_to("Switch to host2 …")
    again = "const switchTo = document.activeElement; switchTo.click(); dialog.close(); switchTo.click();"
    screen.browser.execute_script(f"const dialog = document.getElementById('dialog'); {again}")
    screen.shows("#outcome", "host2")
    screen.press(Keys.ESCAPE)


def test_every_stop_of_the_keyboard_can_be_seen(screen):
    """The focus is drawn round whatever has it."""
    screen.until(lambda: lit(screen, "pair-SIP Server") == ["redundant_1"])
    stops = []
    screen.browser.execute_script("document.activeElement.blur()")
    for _ in range(6):
        screen.press(Keys.TAB)
        style = "const s = getComputedStyle(document.activeElement); return [s.outlineStyle, s.outlineWidth]"
        stops.append((screen.focused()[:20], *screen.browser.execute_script(style)))
    assert [stop[0] for stop in stops[:3]] == ["To the switchover", "Switch to host1 …", "Switch to host2 …"]
    assert {stop[1:] for stop in stops} == {("solid", "3px")}


def test_what_has_changed_since_the_plan_is_planned_again(screen, stage):
    screen.tab_to("Switch to host2 …")
    screen.press(Keys.ENTER)
    screen.shows("#outcome", "host1 → host2")
    screen.until(lambda: screen.browser.find_element(By.ID, "confirm").is_enabled())
    stage.run(stage.stage.crash("SIP_Server_2"))
    stage.until(lambda: stage.agent.solution.state.pairs[0].state == "no_redundancy_1")
    screen.browser.find_element(By.ID, "confirm").click()
    screen.shows("#plan", "the solution has changed: this is the plan as it is now")
    screen.shows("#outcome", "that application is down: no switch to it")
    assert not screen.browser.find_element(By.ID, "confirm").is_enabled()
    assert stage.agent.solution.state.pairs[0].state == "no_redundancy_1"
    assert ["409 (Conflict)" in complaint for complaint in screen.complaints()] == [True]


@pytest.mark.parametrize("solution", ["sip", "voicemail"])
def test_on_a_phone_nothing_goes_beyond_the_edge(browser, tmp_path, solution):
    with PageStage(tmp_path, solution) as stage:
        screen = Screen(browser, stage.url, PHONE_PX)
        stage.run(stage.stage.lose(1))
        screen.shows("#whole", "host1 is lost")
        screen.shows("#diagrams", "VIP: owed_2")
        widths = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        full, inner = browser.execute_script(widths)
        assert full == inner <= PHONE_PX[0]
        screen.until(lambda: browser.find_elements(By.CSS_SELECTOR, "#switches button")[0].is_enabled())
        small = (
            "return [...document.querySelectorAll('button')].filter((b) => b.checkVisibility() && b.offsetHeight < 44)"
        )
        assert browser.execute_script(small) == []
        browser.execute_script("document.querySelectorAll('#switches button')[1].click()")
        screen.shows("#outcome", "Outcome: ")
        left, right = browser.execute_script(
            "const b = document.getElementById('dialog').getBoundingClientRect(); return [b.left, b.right]"
        )
        assert 0 <= left < right <= PHONE_PX[0]
        browser.get("about:blank")


@pytest.mark.parametrize("light", ["light", "dark"])
def test_the_words_can_be_read_in_light_and_in_dark(browser, stage, light):
    """WCAG 2.2, 1.4.3: a contrast of 4.5 to 1 or more, for every text of the page, fine and in trouble."""
    features = [{"name": "prefers-color-scheme", "value": light}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    screen = Screen(browser, stage.url)
    stage.run(stage.stage.lose(1))
    screen.shows("#whole", "host1 is lost")
    found = browser.execute_script(CONTRASTS)
    assert len(found) > 30
    assert [(text, ratio) for text, ratio in found if ratio < 4.5] == []
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    browser.get("about:blank")


CONTRASTS = """
const light = (colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (node) => {
  const colour = getComputedStyle(node).backgroundColor;
  return colour === "rgba(0, 0, 0, 0)" && node.parentElement ? behind(node.parentElement) : colour;
};
const texts = [...document.querySelectorAll("body *")].filter((node) =>
  node.checkVisibility() && [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()));
return texts.map((node) => {
  const [a, b] = [light(getComputedStyle(node).color), light(behind(node))];
  return [node.textContent, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
});
"""


def test_each_mark_has_its_own_sign_and_shape(screen):
    """It can be told apart without any colour."""
    script = """
    return arguments[0].map((mark) => {
      const node = document.createElement("span");
      node.className = `fact ${mark}`;
      document.body.append(node);
      const style = getComputedStyle(node, "::before");
      return [style.content, style.borderStyle, style.borderRadius].join(" ");
    });
    """
    shapes = screen.browser.execute_script(script, ["fine", "moving", "trouble", "unknown"])
    assert len(set(shapes)) == 4
    assert len({shape.split()[0] for shape in shapes}) == 4


def test_one_must_log_in_where_there_is_a_token(browser, tmp_path):
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text("correct-horse-battery-staple")
    with PageStage(tmp_path, page=PageSettings(token_file=file)) as stage:
        screen = Screen(browser, stage.url)
        screen.shows("label", "Token")
        screen.press("wrong", Keys.ENTER)
        screen.shows("[role=alert]", "That is not the token.")
        screen.press("correct-horse-battery-staple", Keys.ENTER)
        screen.shows("#whole", "as it should be")
        screen.until(lambda: browser.find_elements(By.CSS_SELECTOR, "#switches button")[0].is_enabled())
        assert ["401 (Unauthorized)" in complaint for complaint in screen.complaints()] == [True]
        browser.get("about:blank")


@pytest.fixture
def real_diagrams() -> None:
    """The diagrams are those of the package."""


def test_the_real_diagram_has_the_present_state_lit(browser, stage, real_diagrams):
    screen = Screen(browser, stage.url)
    screen.until(lambda: lit(screen, "pair-SIP Server") == ["redundant_1"], 120)
    texts = browser.execute_script("return document.querySelector('#diagrams svg').textContent")
    assert "side2_down" in texts or "enable 2" in texts
    assert screen.complaints() == []
    browser.get("about:blank")
