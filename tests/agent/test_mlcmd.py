"""The mlcmd driver, with a real process in the place of the vendor's program (`mlcmd_stand_in.py`)."""

import asyncio
import contextlib
import doctest
import fcntl
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from switchover.drivers.control import mlcmd
from switchover.drivers.control.mlcmd import Mlcmd, MlcmdSettings
from switchover.drivers.errors import DriverError, ExitStatusError, TimedOutError, UnreadableError
from switchover.fsm import Mode

PROGRAM = (sys.executable, "-I", "-S", str(Path(__file__).parents[1] / "support" / "mlcmd_stand_in.py"))
PASSWORD = "xyzzy's $HOME"  # noqa: S105 - the stand-in's; a shell would change it
LOGIN = {"cshost": "config.example", "csport": 2020, "csuser": "an operator", "csappname": "GAX 1"}
STATUS, SWITCHOVER, MAKE_BACKUP = "-getappstatus", "-switchover", "-makebackup"
AMPLE_MS = 20_000
SHORT_MS = 2_000  # for a change that never happens

FIRST = {"dbid": 101, "name": "SIP Server (Primary)", "mode": "Primary", "peer": 102}
SECOND = {"dbid": 102, "name": "SIP Server (Backup)", "mode": "Backup", "peer": 101}


class Site:
    """A directory of the stand-in, with a pair of applications of which the first one is primary."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.password_file = directory / "password"
        self.password_file.touch(0o600)
        self.password_file.write_text(f"{PASSWORD}\n")
        self.state: dict[str, object] = {}
        self.write(password=PASSWORD, applications=[FIRST, SECOND], behaviour={}, due=None)

    def write(self, **changes: object) -> None:
        self.state.update(changes)
        (self.directory / "state.json").write_text(json.dumps(self.state))

    def set_status(self, words: str) -> None:
        """The status of the first application from now on."""
        self.write(applications=[{**FIRST, "mode": words}, SECOND])

    def mlcmd(self, **changes: Any) -> Mlcmd:
        values: dict[str, Any] = {**LOGIN, "program": PROGRAM, "password_file": self.password_file, **changes}
        return Mlcmd(MlcmdSettings(**values))

    def runs(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.directory / "runs").read_text().splitlines()]

    def operations(self) -> list[str]:
        """The operation and the application of each run, in their order."""
        return [" ".join(run["argv"][-2:]) for run in self.runs()]

    def nobody_holds_the_lock(self) -> bool:
        """Whether the hung process and its child are gone: they hold the lock as long as one of them lives."""
        with (self.directory / "lock").open() as lock, contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False


async def ended(call: Coroutine[Any, Any, None]) -> None:
    """Await a call, then wait until no child is left: on a busy machine a killed one may outlive the driver's wait."""
    try:
        await call
    finally:
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                await asyncio.sleep(0.01)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("MLCMD_STAND_IN", str(tmp_path))
    return Site(tmp_path)


@pytest.mark.parametrize("application", [102, "SIP Server (Backup)"])
def test_a_command_line_has_every_mandatory_parameter_and_one_operation(site: Site, application: int | str):
    """In the documented form, with a DBID or a name, and no shell in between."""
    assert asyncio.run(site.mlcmd().mode(application, AMPLE_MS)) is Mode.BACKUP
    login = ["-cshost", "config.example", "-csport", "2020", "-csuser", "an operator", "-cspassword", PASSWORD]
    assert [run["argv"] for run in site.runs()] == [[*login, "-csappname", "GAX 1", STATUS, str(application)]]


@pytest.mark.parametrize(
    ("words", "mode"),
    [("PRIMARY.", Mode.PRIMARY), ("started\n mode=Backup,", Mode.BACKUP), ("down (Stopped)", Mode.DOWN)],
)
def test_one_word_of_a_status_gives_the_mode(site: Site, words: str, mode: Mode):
    """Regardless of the application's name and the rest of the status."""
    site.set_status(words)
    assert asyncio.run(site.mlcmd().mode("SIP Server (Primary)", AMPLE_MS)) is mode


@pytest.mark.parametrize("words", ["", "unknown", "primaries", "non-primary", "primary or backup", "backup: stopped"])
def test_a_status_without_exactly_one_mode_is_unreadable_and_nothing_is_switched(site: Site, words: str):
    site.set_status(words)
    with pytest.raises(UnreadableError, match=r"should name one of primary, backup, stopped, down: 'application"):
        asyncio.run(site.mlcmd().to_primary("SIP Server (Primary)", AMPLE_MS))
    assert site.operations() == [f"{STATUS} SIP Server (Primary)"]


@pytest.mark.parametrize("behaviour", ["say_bytes", "flood", "echo", "do_nothing"])
def test_garbage_is_unreadable(site: Site, behaviour: str):
    site.write(behaviour={STATUS: [behaviour]})
    with pytest.raises(UnreadableError, match=r"should name one of|printed more than 65536 bytes") as caught:
        asyncio.run(site.mlcmd().mode(101, AMPLE_MS))
    assert "xyzzy" not in str(caught.value)


@pytest.mark.parametrize("settings", [{}, {"to_backup": (MAKE_BACKUP, "{application}")}])
def test_an_application_already_in_the_wanted_mode_is_left_alone(site: Site, settings: dict[str, Any]):
    asyncio.run(site.mlcmd(**settings).to_primary("SIP Server (Primary)", AMPLE_MS))
    asyncio.run(site.mlcmd(**settings).to_backup(102, 101, AMPLE_MS))
    assert site.operations() == [f"{STATUS} SIP Server (Primary)", f"{STATUS} 102"]


@pytest.mark.parametrize("behaviour", ["succeed", "linger"])
def test_a_backup_is_made_primary_and_its_status_read_again(site: Site, behaviour: str):
    site.write(behaviour={SWITCHOVER: [behaviour], STATUS: [behaviour]})
    asyncio.run(site.mlcmd().to_primary(102, AMPLE_MS))
    assert site.operations() == [f"{STATUS} 102", f"{SWITCHOVER} 102", f"{STATUS} 102"]
    assert asyncio.run(site.mlcmd().mode(102, AMPLE_MS)) is Mode.PRIMARY


@pytest.mark.parametrize(
    ("settings", "operation"),
    [({}, f"{SWITCHOVER} SIP Server (Backup)"), ({"to_backup": (MAKE_BACKUP, "{application}")}, f"{MAKE_BACKUP} 101")],
)
def test_a_primary_is_made_backup_through_its_peer_or_the_site_s_operation(
    site: Site, settings: dict[str, Any], operation: str
):
    asyncio.run(site.mlcmd(**settings).to_backup(101, "SIP Server (Backup)", AMPLE_MS))
    assert site.operations() == [f"{STATUS} 101", operation, f"{STATUS} 101"]
    assert asyncio.run(site.mlcmd().mode(101, AMPLE_MS)) is Mode.BACKUP


def test_a_mode_that_changes_after_the_operation_ended_is_waited_for(site: Site):
    site.write(behaviour={SWITCHOVER: ["promise"]})
    asyncio.run(site.mlcmd().to_primary(102, AMPLE_MS))
    assert site.operations() == [f"{STATUS} 102", f"{SWITCHOVER} 102", *[f"{STATUS} 102"] * 3]


@pytest.mark.parametrize("answer", ["say_bytes", "fail", "die"])
def test_an_unclear_status_while_the_mode_changes_is_not_final(site: Site, answer: str):
    site.write(behaviour={STATUS: ["succeed", answer, "succeed"]})
    asyncio.run(site.mlcmd().to_primary(102, AMPLE_MS))
    assert site.operations() == [f"{STATUS} 102", f"{SWITCHOVER} 102", f"{STATUS} 102", f"{STATUS} 102"]


@pytest.mark.parametrize(
    ("behaviour", "kind", "reason"),
    [
        ({SWITCHOVER: ["do_nothing"]}, TimedOutError, "^102 was asked to become primary; 2000 ms later it is backup$"),
        ({STATUS: ["succeed", "hang"]}, TimedOutError, "^102 was asked .* later its mode is not known$"),
        ({STATUS: ["succeed", "say_bytes"]}, UnreadableError, "should name one of"),
        ({STATUS: ["succeed", "fail"]}, ExitStatusError, "ended with status 1: failed"),
    ],
)
def test_the_last_status_is_reported_when_the_deadline_passes(
    site: Site, behaviour: dict[str, list[str]], kind: type[DriverError], reason: str
):
    site.write(behaviour=behaviour)
    with pytest.raises(kind, match=reason):
        asyncio.run(ended(site.mlcmd().to_primary(102, SHORT_MS)))
    assert site.operations().count(f"{SWITCHOVER} 102") == 1


@pytest.mark.parametrize(("behaviour", "status"), [("fail", 1), ("die", -9)])
@pytest.mark.parametrize("operation", [STATUS, SWITCHOVER])
def test_a_failed_run_ends_the_change(site: Site, operation: str, behaviour: str, status: int):
    """Nothing is run after it; the driver does not decide whether to try again."""
    site.write(behaviour={operation: [behaviour]})
    with pytest.raises(ExitStatusError, match=rf"{operation} 102 ended with status {status}: .* -cspassword \*\*\* "):
        asyncio.run(site.mlcmd().to_primary(102, AMPLE_MS))
    assert site.operations() == [f"{STATUS} 102", f"{SWITCHOVER} 102"][: 1 + (operation == SWITCHOVER)]


@pytest.mark.parametrize("operation", [STATUS, SWITCHOVER])
def test_an_mlcmd_that_hangs_is_killed_with_its_children(
    site: Site, eventually: Callable[..., Coroutine[Any, Any, None]], operation: str
):
    site.write(behaviour={operation: ["hang"]})

    async def overrun() -> None:
        with pytest.raises(TimedOutError, match=rf"{operation} 102 did not end within \d+ ms$"):
            await ended(site.mlcmd().to_primary(102, SHORT_MS))
        await eventually(site.nobody_holds_the_lock)

    asyncio.run(overrun())


@pytest.mark.parametrize("behaviour", ["fail", "die", "flood_and_fail", "hang"])
@pytest.mark.parametrize("operation", [STATUS, SWITCHOVER])
def test_the_password_is_shown_nowhere(site: Site, caplog: pytest.LogCaptureFixture, operation: str, behaviour: str):
    """Whatever mlcmd prints, and even with asyncio's debug mode on."""
    caplog.set_level(logging.DEBUG)
    site.write(behaviour={operation: [behaviour]})
    driver = site.mlcmd()
    with pytest.raises(DriverError) as caught:
        asyncio.run(ended(driver.to_primary(102, SHORT_MS if behaviour == "hang" else AMPLE_MS)), debug=True)
    shown = [*traceback.format_exception(caught.value), caplog.text, repr(vars(driver))]
    assert not [text for text in shown if "xyzzy" in text]


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_the_password_is_read_at_every_use(site: Site, ending: str):
    """It can be changed while the agent runs; a wrong one is not shown either."""
    driver = site.mlcmd()
    for password in ("first", " second ", "-third"):
        site.password_file.write_bytes(f"{password}{ending}".encode())
        with pytest.raises(ExitStatusError, match=r"status 3: cannot log in .* -cspassword \*\*\* -csappname"):
            asyncio.run(driver.mode(101, AMPLE_MS))
        site.write(password=password)
        assert asyncio.run(driver.mode(101, AMPLE_MS)) is Mode.PRIMARY


def test_the_password_can_come_from_the_environment(site: Site, monkeypatch: pytest.MonkeyPatch):
    driver = site.mlcmd(password_file=None, password_env="SITE_PASSWORD")  # noqa: S106 - a variable's name
    with pytest.raises(DriverError, match=r"^the environment variable SITE_PASSWORD .* is empty: set it$"):
        asyncio.run(driver.mode(101, AMPLE_MS))
    monkeypatch.setenv("SITE_PASSWORD", PASSWORD)
    assert asyncio.run(driver.mode(101, AMPLE_MS)) is Mode.PRIMARY


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        (b"", 0o600, "is empty: set it"),
        (b"xyzzy\nmore\n", 0o600, "nothing else, on one line"),
        (b"xyzzy\0", 0o600, "nothing else, on one line"),
        (b"xyzzy\n", 0o640, "other users can read it; run: chmod 600 /"),
    ],
)
def test_an_unusable_password_file_is_an_error_and_nothing_is_run(site: Site, content: bytes, mode: int, reason: str):
    site.password_file.write_bytes(content)
    site.password_file.chmod(mode)
    with pytest.raises(DriverError, match=reason) as caught:
        asyncio.run(site.mlcmd().mode(101, AMPLE_MS))
    assert "xyzzy" not in str(caught.value)
    assert not (site.directory / "runs").exists()


def test_a_missing_program_or_file_is_an_error(site: Site):
    with pytest.raises(DriverError, match=r"^cannot read mlcmd's password from /nowhere: No such file or directory$"):
        asyncio.run(site.mlcmd(password_file=Path("/nowhere")).mode(101, AMPLE_MS))
    with pytest.raises(DriverError, match=r"^no-such-mlcmd cannot be run: No such file or directory$"):
        asyncio.run(site.mlcmd(program=("no-such-mlcmd",)).mode(101, AMPLE_MS))


@pytest.mark.parametrize("application", ["", "-switchover", -1, "SIP\0Server"])
def test_an_impossible_application_name_is_not_put_on_a_command_line(site: Site, application: int | str):
    """A name that begins with a hyphen would be taken for an operation."""
    with pytest.raises(DriverError, match="cannot be given an application"):
        asyncio.run(site.mlcmd().mode(application, AMPLE_MS))
    assert not (site.directory / "runs").exists()


@pytest.mark.parametrize("language", ["", "de_DE.UTF-8"])
def test_the_language_is_the_site_s(site: Site, monkeypatch: pytest.MonkeyPatch, language: str):
    monkeypatch.setenv("LANG", language)
    asyncio.run(site.mlcmd().mode(101, AMPLE_MS))
    assert [run["LANG"] for run in site.runs()] == [language]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"csport": 65_536}, "csport"),
        ({"csuser": ""}, "'csuser' must not be empty"),
        ({"program": ("mlcmd", "")}, "'program' must be a list of arguments"),
        ({"to_primary": ("-switchover",)}, "'to_primary' must have the field {application}"),
        ({"to_backup": ("-switchover", "{peer}")}, "'to_backup' must have the field {application}"),
        ({"status": ("-getappstatus", "{application!r}")}, "'status' must have the field {application}, and no other"),
        ({"status": ("{application}", "{")}, "'status' has a single brace"),
        ({"password_file": None}, "either 'password_file' or 'password_env'"),
        ({"password_env": "SITE_PASSWORD"}, "and not both"),
    ],
)
def test_impossible_settings_are_refused(site: Site, changes: dict[str, Any], reason: str):
    with pytest.raises(ValueError, match=reason):
        site.mlcmd(**changes)


def test_the_examples_hold():
    assert doctest.testmod(mlcmd).failed == 0
