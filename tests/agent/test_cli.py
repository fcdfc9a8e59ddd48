"""The command line: the real command in a process of its own, its output and its exit status."""

import re
import shlex
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.typed import A1, A2, H1, H2, one_line, run, sound_file, spooled
from switchover.agent.cli import main as cli
from switchover.agent.configuration.examples import alarm_text, example_text
from switchover.fsm import LOG_MESSAGES, Alarm
from switchover.fsm.alarms import enable_here
from switchover.fsm.documented.voicemail import WIRINGS


@pytest.fixture
def file(tmp_path) -> Path:
    return sound_file(tmp_path)


# Help


def test_every_command_has_help_with_an_example_that_can_be_typed():
    status, output, _ = run("--help")
    names = re.findall(r"^    (\w+)  ", output, re.MULTILINE)
    assert status == 0
    assert set(names) >= {
        *("init", "check", "keys", "agent", "lca", "status", "switch", "start", "stop", "event", "diagram", "lab"),
    }
    with ThreadPoolExecutor(max_workers=2) as threads:
        helps = list(threads.map(lambda name: run(name, "--help"), names))
    for name, (status, output, errors) in zip(names, helps, strict=True):
        assert (status, errors) == (0, "")
        example = re.search(rf"^example: switchover ({name}.*)$", output, re.MULTILINE)
        assert example is not None
        assert "exit status: 0 " in output
        options = cli._parser().parse_args(shlex.split(example[1]))
        assert callable(options.run)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["status", "--loud"],
        ["lca"],
        ["event", "00-5150"],
        ["start"],
        ["stop", "RM_1", "RM_2"],
        ["init", "voicemail", "x", "y"],
        ["init", "voicemail", "--wiring", "any"],
        ["lab", "--order", "any"],
        ["lab", "--repeat", "x"],
    ],
    ids=" ".join,
)
def test_bad_usage_is_an_error_with_exit_status_2(arguments):
    status, output, errors = run(*arguments)
    assert (status, output) == (2, "")
    assert errors.startswith("usage: switchover")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["manual", "holiday"], "unknown workflow 'holiday'; known are manual, failure, disconnected, reconnection"),
        (["--detection-ms", "29"], "--detection-ms must be 30 to 60000, --repeat 1 to 1000"),
        (["--simulated", "--repeat", "0"], "--detection-ms must be 30 to 60000, --repeat 1 to 1000"),
        (["--simulated", "--keep-logs", "x"], "--keep-logs x: simulated hosts write no logs"),
        (["--keep-logs", "/dev/null/x"], "--keep-logs /dev/null/x: Not a directory"),
        (
            ["--keep-logs", "/dev/shm/x"],  # noqa: S108  # refused, never written
            "--keep-logs /dev/shm/x: the lab has a /dev/shm of its own, which vanishes with it",
        ),
    ],
)
def test_impossible_options_of_the_lab_are_refused(arguments, complaint):
    assert run("lab", *arguments) == (2, "", f"switchover lab: {complaint}\n")


# Configuration and keys


def test_init_writes_the_example_and_overwrites_nothing(tmp_path):
    file = tmp_path / "switchover.toml"
    status, output, errors = run("init", directory=tmp_path)
    assert (status, errors) == (0, "")
    assert "run `switchover check switchover.toml`" in one_line(output)
    assert file.read_text() == example_text()
    assert run("check", file)[0] == 0
    file.write_text("mine")
    exists = f"switchover: {file} exists already and is not overwritten; choose another name\n"
    assert run("init", file) == (1, "", exists)
    missing = tmp_path / "missing" / "x.toml"
    assert run("init", missing) == (1, "", f"switchover: {missing} cannot be written: No such file or directory\n")
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "name", "text"),
    [
        (["sip"], "switchover.toml", example_text()),
        (["mine.toml"], "mine.toml", example_text()),
        (["sip", "sip"], "sip", example_text("sip")),
        (["voicemail"], "switchover.toml", example_text("voicemail")),
        *(
            (["voicemail", "mine.toml", "--wiring", wiring], "mine.toml", example_text("voicemail", wiring))
            for wiring in WIRINGS
        ),
    ],
    ids=lambda value: "",
)
def test_init_writes_the_named_example(tmp_path, arguments, name, text):
    status, output, errors = run("init", *arguments, directory=tmp_path)
    assert (status, errors) == (0, "")
    assert one_line(output) == f"{name} written: edit it, then run `switchover check {name}`"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == text
    solution = "voicemail" if "voicemail" in arguments else "SIP solution"
    in_order = f"{name}: in order; solution {solution} on host1 and host2\n"
    assert run("check", name, directory=tmp_path) == (0, in_order, "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["mail", "x.toml"], "unknown example 'mail'; known are sip, voicemail"),
        (["voicemial"], "unknown example 'voicemial'; known are sip, voicemail"),
        (["--wiring", "documented"], "--wiring is for the example voicemail, not for sip"),
        (["sip", "x.toml", "--wiring", "vip-on-monitored"], "--wiring is for the example voicemail, not for sip"),
    ],
)
def test_init_refuses_unknown_examples(tmp_path, arguments, complaint):
    assert run("init", *arguments, directory=tmp_path) == (2, "", f"switchover: {complaint}\n")
    assert list(tmp_path.iterdir()) == []


def test_check_reports_that_a_file_is_in_order(file):
    assert run("check", file) == (0, f"{file}: in order; solution lab on host1 and host2\n", "")


def test_check_reports_every_mistake_with_its_place(file):
    text = file.read_text()
    line = text.splitlines().index("detection_ms = 100") + 1
    file.write_text(text.replace("detection_ms = 100", "detection_ms = 7").replace('host = "host2"', 'host = "host3"'))
    status, output, errors = run("check", file)
    assert (status, output) == (2, "")
    problems = errors.splitlines()
    assert len(problems) == 2
    assert all(re.match(rf"{re.escape(str(file))}:\d+:\d+: ", problem) for problem in problems)
    assert problems[0].startswith(f"{file}:{line}:16: detection_ms is 7; ")
    assert "unknown host" in problems[1]


def test_check_accepts_a_risky_configuration_with_warnings(file):
    """With an SCS, an alarm that is still active does not react, and the switch back does not happen ([S1])."""
    alarm = Alarm("A", "00-5150", A1, (enable_here(H1),), cancel_timeout_ms=172_800_000)
    file.write_text(file.read_text().replace("[agent]", 'reactions = "literal"\n[agent]') + alarm_text(alarm))
    latches, literal = (
        file.read_text().splitlines().index(line) + 1
        for line in ("cancel_timeout_ms = 172800000", 'reactions = "literal"')
    )
    status, output, errors = run("check", file)
    assert (status, output) == (0, f"{file}: in order; solution lab on host1 and host2\n")
    warnings = errors.splitlines()
    assert len(warnings) == 2
    assert warnings[0].startswith(f"warning: {file}:{literal}:13: reactions is 'literal': ")
    assert warnings[1].startswith(f"warning: {file}:{latches}:21: alarm 'A' stays active for 172800 s, at least: ")


def test_check_refuses_an_application_named_vip(file):
    """The journal and the timers use this name for the Virtual IP."""
    file.write_text(file.read_text().replace('name = "SIP Server"', 'name = "VIP"').replace(f'"{A2}"', '"VIP"'))
    status, output, errors = run("check", file)
    assert (status, output) == (2, "")
    assert sorted(line.partition(": ")[2] for line in errors.splitlines()) == [
        "application is 'VIP', which is what the Virtual IP is called; choose another",
        "name is 'VIP', which is what the Virtual IP is called; choose another",
    ]


def test_check_of_a_missing_file_is_an_error(tmp_path):
    status, output, errors = run("check", tmp_path / "missing.toml")
    assert (status, output) == (2, "")
    assert one_line(errors).startswith(f"{tmp_path}/missing.toml: cannot be read: No such file or directory")


def test_keys_are_made_once_and_only_their_owner_can_read_the_secrets(file):
    status, output, errors = run("keys", "-c", file)
    directory = file.parent / "state" / "keys"
    assert (status, errors) == (0, "")
    assert one_line(output).startswith(f"keys written to {directory}; ")
    made = {path.name: path.read_bytes() for path in directory.iterdir()}
    assert set(made) == {f"{name}.{kind}" for name in ("agent", H1, H2) for kind in ("key", "key_secret")}
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.glob("*.key_secret")} == {0o600}
    status, output, errors = run("keys", "-c", file)
    assert (status, output) == (1, "")
    assert one_line(errors).endswith("exists already and is not overwritten")
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == made


def test_diagrams_that_cannot_be_written_are_an_error_of_one_line(tmp_path):
    (tmp_path / "file").touch()
    status, output, errors = run("diagram", tmp_path / "file")
    assert (status, output) == (1, "")
    assert one_line(errors).startswith(f"switchover: {tmp_path}/file cannot be written: ")


# Without an agent


@pytest.mark.parametrize(
    "arguments", [["status"], ["status", "--json"], ["switch", H2], ["start", A1], ["stop", A1]], ids=str
)
def test_without_an_agent_commands_fail_with_one_line_and_exit_status_3(file, arguments):
    status, output, errors = run(*arguments, "-c", file)
    assert (status, output) == (3, "")
    assert one_line(errors).endswith("; is `switchover agent` running here?")


def test_without_an_agent_a_message_waits_in_the_spool(file):
    """A failed alarm reaction would lose the message."""
    for number in ("5150", "00-05151"):
        status, output, errors = run("event", number, A1, "-c", file)
        assert (status, errors) == (0, "")
        assert one_line(output).startswith(f"the message waits in {file.parent}/state/spool: no agent answers at ")
    assert spooled(file) == [("00-5150", A1), ("00-5151", A1)]


@pytest.mark.parametrize("id_", ["00-4711", "", "no id", "1" * 5000])
def test_an_unknown_message_is_refused_at_once(file, id_):
    status, output, errors = run("event", id_, A1, "-c", file)
    assert (status, output) == (2, "")
    assert one_line(errors) == f"switchover: unknown event id {id_!r}; known are {', '.join(LOG_MESSAGES)}"
    unknown = f"switchover: unknown application 'nobody'; known are {A1}, {A2}\n"
    assert run("event", "00-5150", "nobody", "-c", file) == (2, "", unknown)
    assert not (file.parent / "state" / "spool").exists()


def test_a_message_that_cannot_be_spooled_is_an_error(file):
    spool = file.parent / "state" / "spool"
    spool.mkdir(parents=True)
    spool.chmod(0o777)
    status, output, errors = run("event", "00-5150", A1, "-c", file)
    assert (status, output) == (1, "")
    assert one_line(errors) == f"switchover: others may write to the spool {spool}; run `chmod 700 {spool}`"


def test_for_an_agent_that_does_not_answer_a_message_waits_in_the_spool(file, capsys, monkeypatch):
    """The message is left in the spool; if the agent has received it after all, it receives it twice."""
    monkeypatch.setattr("switchover.agent.cli.commands.EVENT_WITHIN_S", 0.05)
    with socket.socket(socket.AF_UNIX) as deaf:
        (file.parent / "state").mkdir()
        deaf.bind(str(file.parent / "state" / "agent.sock"))
        deaf.listen()
        assert cli.main(["event", "00-5150", A1, "-c", str(file)]) == 0
    assert spooled(file) == [("00-5150", A1)]
    assert "timed out" in one_line(capsys.readouterr().out)


@pytest.mark.parametrize("arguments", [["status"], ["keys"], ["event", "5150", A1], ["start", A1]], ids=str)
def test_with_a_bad_configuration_no_command_does_anything(tmp_path, arguments):
    (tmp_path / "bad.toml").write_text("[solution]\n")
    status, output, errors = run(*arguments, "-c", tmp_path / "bad.toml")
    assert (status, output) == (2, "")
    assert errors.startswith(f"{tmp_path}/bad.toml:")
    assert list(tmp_path.iterdir()) == [tmp_path / "bad.toml"]
