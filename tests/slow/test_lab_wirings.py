"""The two wirings that [S1] warns of do in the real lab the harm that it warns of."""

# ruff: noqa: S603  # the commands are our own

import re
import subprocess

import pytest
from support.lab_outcomes import LAB, PATIENCE_S
from support.lab_possible import need_lab
from switchover.agent.history.journal import read
from switchover.agent.lab.network import namespaces
from switchover.agent.lab.programs import voicemail

HARM = {
    "documented-literal": ("backup-rm", "--reactions", "literal"),
    "vip-on-monitored": ("backup-rm", "--reactions", "literal", "--wiring", "vip-on-monitored"),
    "documented": ("vm-sip-server",),
    "vip-on-vm-server": ("vm-sip-server", "--wiring", "vip-on-vm-server"),
}
"""The wiring of [S1] and the two that it warns of, each in a scenario that shows the difference."""


@pytest.fixture(scope="module")
def harm(tmp_path_factory) -> dict[str, tuple[int, list[str], list[tuple[str, str]]]]:
    """Exit status, report, and the journal's lines. What is compared does not depend on time: they run side by side."""
    need_lab(namespaces.why_not() or voicemail.why_no_voicemail())
    directory, pipe = tmp_path_factory.mktemp("harm"), subprocess.PIPE
    labs = {
        name: subprocess.Popen(
            [*LAB, "voicemail", *arguments, "--detection-ms", "2000", "--keep-logs", str(directory / name)],
            stdout=pipe,
            stderr=pipe,
            text=True,
        )
        for name, arguments in HARM.items()
    }
    found = {}
    for name, lab in labs.items():
        output, errors = lab.communicate(timeout=PATIENCE_S)
        assert errors == ""
        journal = [(entry.kind, entry.text) for _, entry in read(directory / name / "journal.sqlite")]
        found[name] = (lab.returncode, output.splitlines(), journal)
    return found


def reported(lines: list[str], word: str) -> list[str]:
    """What the report says under a word of its margin."""
    return [line.split(maxsplit=1)[1] for line in lines if re.match(rf" +{word}  ", line)]


@pytest.mark.namespaces
def test_scripts_that_hang_on_monitored_components_run_for_nothing(harm):
    """A Resource Manager fails on the host that serves nobody, and the VIP scripts run all the same."""
    status, lines, _ = harm["documented-literal"]
    assert (status, reported(lines, "scripts"), reported(lines, "WRONG")) == (0, ["none ran"], [])
    status, lines, journal = harm["vip-on-monitored"]
    assert (status, sum(line.strip() == "NOT OK" for line in lines)) == (1, 1)
    assert reported(lines, "scripts") == ["ran enable_vip on host1: 1, disable_vip on host2: 1"]
    assert reported(lines, "WRONG") == [
        "disable_vip on host2 ran once, documented is never",
        "enable_vip on host1 ran once, documented is never",
    ]
    after = journal[journal.index(("event", "reported RM_2 down")) :]
    assert {("event", "done enable_vip host1"), ("event", "done disable_vip host2")} < set(after)


@pytest.mark.namespaces
def test_scripts_that_hang_on_the_vm_server_come_two_control_commands_later(harm):
    """Until the VM Server has been switched, too, the SIP port of the new primary is not bound to the VIP."""
    assert (harm["documented"][0], waited_for(harm["documented"][2])) == (0, [])
    status, lines, journal = harm["vip-on-vm-server"]
    assert (status, waited_for(journal)) == (1, ["done demote VM_Server_1", "done promote VM_Server_2"])
    unseen = [line.split("not seen")[1].strip() for line in lines if "not seen" in line]
    assert unseen == ["2. the VIP is enabled on the other host", "3. the VIP is disabled on the host that was primary"]
    assert reported(lines, "WRONG") == []  # late, but in the end all is as it should be
    assert sum(line.strip() == "NOT OK" for line in lines) == 1


def waited_for(journal: list[tuple[str, str]]) -> list[str]:
    """The control commands that were carried out between the takeover by VM_SIP_Server_2 and the order for the VIP."""
    fault = journal.index(("event", "reported VM_SIP_Server_1 down"))
    primary = journal.index(("event", "done promote VM_SIP_Server_2"), fault)
    ordered = journal.index(("command", "enable_vip host2"), primary)
    return [text for kind, text in journal[primary + 1 : ordered] if kind == "event" and text.startswith("done ")]
