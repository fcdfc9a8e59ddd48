"""The systemd units: what `switchover units` writes, checked by systemd itself."""

# ruff: noqa: S603  # the commands are our own

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from switchover.agent.cli import units
from switchover.agent.cli.main import main
from switchover.agent.cli.units import UNITS, hidden_by, program, quoted, unit

AGENT, LCA, PAGE = UNITS
PROGRAM = ("/bin/true",)  # systemd checks that it exists


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `systemd-analyze`, which reads unit files without a running systemd."""
    analyzer = shutil.which("systemd-analyze")
    if analyzer is None:
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run([analyzer, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(params=["root", "switchover"])
def written(request, tmp_path) -> Path:
    """The units in a directory, for either user of the agent."""
    for name in UNITS:
        (tmp_path / name).write_text(unit(name, PROGRAM, request.param))
    return tmp_path


def test_systemd_understands_every_line(written):
    """An unknown key would be ignored, and with it the restriction that it stands for."""
    instance = LCA.replace("@", "@host-1")
    done = analyze("verify", "--man=no", str(written / AGENT), str(written / instance), str(written / PAGE))
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if "switchover-" in line]
    assert (done.returncode, complaints) == (0, [])


AGENT_NEEDS = {
    *("RestrictAddressFamilies_AF_UNIX", "RestrictAddressFamilies_AF_INET_INET6", "RestrictAddressFamilies_AF_NETLINK"),
    *("CapabilityBoundingSet_CAP_SYS_NICE_RESOURCE", "AmbientCapabilities", "SystemCallFilter_resources"),
    *("RestrictRealtime", "PrivateNetwork", "IPAddressDeny", "PrivateUsers", "RootDirectoryOrRootImage"),
    *("DeviceAllow", "UserOrDynamicUser"),
}
"""What systemd counts against the agent's unit although it is needed; DeviceAllow comes with ProtectClock."""


def exposure(file: Path) -> tuple[float, set[str]]:
    """How exposed a unit is in the judgement of systemd, 0 to 10, and the keys that count against it."""
    done = analyze("security", "--offline=true", "--no-pager", "--json=short", str(file))
    against = {row["json_field"] for row in json.loads(done.stdout) if row["exposure"]}
    verdict = analyze("security", "--offline=true", "--no-pager", str(file)).stdout.splitlines()[-1]
    return float(verdict.partition(": ")[2].split()[0]), against


def test_the_agent_s_unit_is_hardened_except_for_its_needs(written):
    score, against = exposure(written / AGENT)
    assert against <= AGENT_NEEDS
    assert score <= 2.0


PAGE_NEEDS = {
    *("RestrictAddressFamilies_AF_UNIX", "RestrictAddressFamilies_AF_INET_INET6"),
    *("PrivateNetwork", "IPAddressDeny", "PrivateUsers", "RootDirectoryOrRootImage", "DeviceAllow"),
    "UserOrDynamicUser",
}


def test_the_page_s_unit_has_no_privileges_and_little_of_the_machine(written):
    score, against = exposure(written / PAGE)
    assert against <= PAGE_NEEDS
    assert score <= 1.6
    values = settings((written / PAGE).read_text())
    assert values.keys() >= {"MemoryMax", "TasksMax", "Nice", "CPUWeight", "LimitNOFILE"}
    assert values["CapabilityBoundingSet"] == ""


def test_the_lca_s_unit_leaves_components_what_they_may_need(written):
    assert exposure(written / LCA)[0] <= 5.4


def test_with_components_in_units_the_lca_can_be_hardened_like_the_agent(written):
    """The drop-in that the unit has as a comment."""
    text = (written / LCA).read_text()
    _, _, comment = text.partition("in a drop-in:\n")
    lines, _, _ = comment.partition("\n\n")
    dropped_in = [line.removeprefix("#   ") for line in lines.splitlines()]
    assert all("=" in line and not line.startswith("#") for line in dropped_in)
    hardened = written / "hardened@.service"
    hardened.write_text(text.replace("\n[Install]", "\n".join(["", *dropped_in, "", "[Install]"])))
    done = analyze("verify", "--man=no", str(hardened))
    assert (done.returncode, "hardened" in done.stderr) == (0, False)
    assert exposure(hardened)[0] <= 2.9


def settings(text: str) -> dict[str, str]:
    """The keys of a unit and their last values."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and line[0] not in "#[")


def test_all_units_restart_unless_the_configuration_is_wrong():
    for name in UNITS:
        values = settings(unit(name, PROGRAM))
        assert (values["Type"], values["Restart"], values["RestartPreventExitStatus"]) == ("notify", "on-failure", "2")
        assert (values["WatchdogSec"], values["StartLimitIntervalSec"]) == ("10", "0")
    for name in (AGENT, LCA):
        assert "CAP_SYS_NICE" in unit(name, PROGRAM)  # for real-time priority, which this would refuse:
        assert "RestrictRealtime" not in settings(unit(name, PROGRAM))


def test_components_do_not_end_with_the_lca():
    values = settings(unit(LCA, PROGRAM))
    assert (values["KillMode"], values["OOMPolicy"], values["TasksMax"]) == ("process", "continue", "infinity")


# The command


@pytest.fixture
def elsewhere(monkeypatch) -> str:
    """As if `switchover` were installed in a place that the units do not hide."""
    monkeypatch.setattr(units, "program", lambda: ("/opt/switchover/bin/switchover",))
    return "/opt/switchover/bin/switchover"


def test_the_units_are_written_with_the_program_and_the_user(elsewhere, tmp_path, capsys):
    for _ in range(2):  # the second time they are there already, and read the same
        assert main(["units", str(tmp_path), "--user", "genesys"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(UNITS)
    agent, lca, page = (settings((tmp_path / name).read_text()) for name in UNITS)
    assert (page["ExecStart"], page["User"]) == (f"{elsewhere} page", "genesys")
    assert (agent["ExecStart"], agent["User"]) == (f"{elsewhere} agent", "genesys")
    assert (lca["ExecStart"], "User" in lca) == (f"{elsewhere} lca %i", False)
    assert capsys.readouterr().out.startswith(f"{AGENT}, {LCA}, {PAGE} written to {tmp_path}; next, as root:\n")


def test_units_that_were_changed_are_left_alone(elsewhere, tmp_path, capsys):
    (tmp_path / LCA).write_text("mine")
    assert main(["units", str(tmp_path)]) == 1
    assert (
        capsys.readouterr().err
        == f"switchover: {tmp_path / LCA} exists and differs; move it away to have it written again\n"
    )
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_a_missing_directory_is_an_error_with_its_remedy(elsewhere, tmp_path, capsys):
    there = tmp_path / "missing"
    assert main(["units", str(there)]) == 1
    error = f"switchover: {there} cannot be written: No such file or directory; make it first: mkdir -p {there}\n"
    assert capsys.readouterr().err == error


def test_a_program_that_the_units_would_hide_is_refused(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(units, "program", lambda: ("/root/venv/bin/switchover",))
    assert main(["units", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        "switchover: /root/venv/bin/switchover is in /root, which the units hide from the daemons: install it"
        " elsewhere, for example in /opt/switchover, and run `switchover units` from there\n"
    )
    assert list(tmp_path.iterdir()) == []
    assert hidden_by(Path("/opt/switchover")) is None
    assert hidden_by(Path("/rooted/switchover")) is None


def test_the_program_is_this_installation():
    done = subprocess.run([*program(), "--help"], capture_output=True, text=True, timeout=60, check=True, cwd="/")
    assert done.stdout.startswith("usage: switchover ")
    assert Path(program()[0]).parent == Path(sys.executable).parent


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("/opt/switchover", "/opt/switchover"),
        ("/opt/100%", "/opt/100%%"),
        ("/opt/a b/$x", '"/opt/a b/$$x"'),
        ('/opt/"a"', '"/opt/\\"a\\""'),
    ],
)
def test_a_path_is_quoted_for_systemd(word, text):
    assert quoted(word) == text
