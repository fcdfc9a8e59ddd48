"""`switchover agent` and `switchover lca` as daemons: real processes in a network namespace, keys, signals."""

# ruff: noqa: S603  # the commands are our own

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from support.daemon_site import A1, A2, COMMAND, PATIENCE_S, VIP, Site, ended, until
from switchover.agent.controller.operator_client import OperatorError, ask

# Refusals before any change


def test_with_a_bad_configuration_nothing_is_changed(site):
    site.hold()
    site.file.write_text("[solution]\nname = 'x'\n")
    for daemon in (("agent",), ("lca", "host1")):
        status, output = site.run(*daemon)
        assert status == 2
        assert output.splitlines()[0].startswith(f"{site.file}:1:1: missing table [vip]")
    assert site.held() == set(VIP)
    assert list(site.directory.iterdir()) == [site.file]


def test_an_unknown_host_or_missing_key_is_an_error_and_the_vip_stays(site):
    site.configure()
    site.hold()
    status, output = site.run("lca", "host3")
    assert (status, output) == (
        1,
        "switchover: no host is named 'host3' in the configuration; known are host1, host2\n",
    )
    for name in ("host1.key_secret", "agent.key_secret"):
        (site.directory / "state" / "keys" / name).unlink()
    for daemon, key in ((("lca", "host1"), "host1.key_secret"), (("agent",), "agent.key_secret")):
        status, output = site.run(*daemon)
        assert status == 1
        assert output.startswith(f"switchover: cannot read the key {site.directory}/state/keys/{key}: ")
        assert output.count("\n") == 1
    assert site.held() == set(VIP)
    assert [path.name for path in (site.directory / "state").iterdir()] == ["keys"]


def test_a_missing_interface_is_an_error_of_one_line(site):
    site.configure()
    site.namespace.ip("link set eth0 down")
    site.namespace.ip("link set eth0 name eth5")
    status, output = site.run("lca", "host1")
    assert (status, output) == (
        1,
        "switchover: there is no interface eth0 with IPv4; which interface does this host have?\n",
    )


def test_a_socket_that_cannot_be_made_is_an_error_of_one_line(site):
    site.configure()
    site.socket.mkdir()
    status, output = site.run("agent")
    assert status != 0
    assert output.startswith(f"switchover: the socket {site.socket} cannot be made: ")
    assert output.count("\n") == 1


# Running


def test_an_agent_and_one_host_serve_alone_and_both_end_in_order(site):
    """The other host is never heard: once it is lost, this one becomes primary and gets the VIP."""
    site.configure()
    site.run_application()
    site.hold()
    lca = site.start("lca", "host1")
    assert site.held() == set()  # it starts with the VIP down
    agent = site.start("agent")
    until(lambda: site.states() == ("connected", "peer_lost_1", "owed_1"))
    assert site.held() == set(VIP)
    assert (site.directory / "mode").read_text() == "primary\n"
    assert ended(lca, signal.SIGTERM) == (0, [])
    assert site.held() == set()
    until(lambda: site.events()[-1] == "left host1")
    assert ended(agent, signal.SIGINT) == (0, [])
    assert not site.socket.exists()
    with pytest.raises(OperatorError):
        site.states()


def test_an_agent_without_a_journal_serves_and_says_so(site):
    site.configure()
    site.run_application()
    (site.directory / "state" / "journal.sqlite").mkdir()
    site.start("lca", "host1")
    agent = site.start("agent")
    until(lambda: site.states() == ("connected", "peer_lost_1", "owed_1"))
    journal = ask(site.socket, {"do": "status"})["status"]["journal"]
    assert journal["not_written_since"]
    assert journal["missing"] > 0
    assert f"{site.directory}/state/journal.sqlite cannot be opened: " in journal["reason"]
    agent.send_signal(signal.SIGTERM)
    _, errors = agent.communicate(timeout=60)
    assert agent.returncode == 0
    assert f"the journal {site.directory}/state/journal.sqlite lacks " in errors


def test_a_killed_lca_leaves_the_vip_in_place_and_a_new_one_goes_on(site):
    """A known weakness: nothing takes the VIP from a host whose LCA is dead until the LCA is back."""
    site.configure()
    site.run_application()
    lca = site.start("lca", "host1")
    site.start("agent")
    until(lambda: site.states()[2] == "owed_1")
    lca.kill()
    lca.wait()
    until(lambda: site.states()[0] == "lost")
    assert site.held() == set(VIP)
    site.start("lca", "host1")
    until(lambda: site.states() == ("connected", "peer_lost_1", "owed_1"))
    assert site.held() == set(VIP)


def test_a_second_agent_is_refused_and_the_first_one_goes_on(site):
    site.configure()
    agent = site.start("agent")
    status, output = site.run("agent")
    assert status != 0
    assert output.splitlines()[-1] == f"switchover: another agent is running: {site.socket} answers"
    assert site.states()[0] in ("unknown", "lost")
    assert ended(agent, signal.SIGTERM) == (0, [])


def test_a_second_lca_is_refused_and_leaves_the_first_one_s_vip_alone(site):
    site.configure()
    site.run_application()
    lca = site.start("lca", "host1")
    site.start("agent")
    until(lambda: site.states() == ("connected", "peer_lost_1", "owed_1"))
    until(lambda: "done enable_vip host1" in site.events())  # the journal is written a little later
    count = len(site.events())
    status, output = site.run("lca", "host1")
    assert status == 1
    assert "198.51.100.1:4999" in output.splitlines()[-1]
    assert site.held() == set(VIP)
    assert [text for text in site.events()[count:] if "vip" in text] == []
    assert ended(lca, signal.SIGTERM) == (0, [])


def test_a_quiet_daemon_logs_nothing_while_all_is_well(site):
    site.configure()
    argv = [*COMMAND, "agent", "--quiet", "-c", str(site.file)]
    agent = site.namespace.call(lambda: subprocess.Popen(argv, stderr=subprocess.PIPE, text=True))
    site.processes.append(agent)
    until(site.socket.exists)
    until(lambda: site.states()[0] == "lost")
    agent.send_signal(signal.SIGTERM)
    assert agent.communicate(timeout=PATIENCE_S)[1] == ""
    assert agent.returncode == 0


# Starting and stopping applications


def test_an_application_is_started_and_stopped_on_its_host(site):
    site.configure_start_and_stop()
    site.start("lca", "host1")
    site.start("agent")
    until(lambda: site.states()[0] == "connected")
    assert site.run("start", A1) == (0, "an operator asked for it: it is started\n")
    until(lambda: site.states() == ("connected", "peer_lost_1", "owed_1"))
    assert site.run("start", A1) == (0, "it runs already\n")
    pid = int((site.directory / "pid").read_text())
    os.kill(pid, 0)
    assert site.run("stop", A1) == (0, "an operator asked for it: it is stopped\n")
    until(lambda: f"done stop {A1}" in site.events())
    until(lambda: not is_running(pid))
    until(lambda: f"reported {A1} down" in site.events())
    assert site.run("stop", A1) == (0, "it does not run\n")
    assert site.run("stop", A2) == (1, "its host is not heard\n")


def is_running(pid: int) -> bool:
    """Whether a process runs; a zombie, which its new parent may be slow to remove, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_missing_start_command_is_journalled(site):
    site.configure()
    site.start("lca", "host1")
    site.start("agent")
    until(lambda: site.states()[0] == "connected")
    status, *texts = site.run("start", A1)
    assert (status, f"start {A1} failed" in str(texts)) == (1, True)
    until(lambda: "add start or ocf to its member in the configuration" in " ".join(site.events()))


# Log messages


def received(site: Site) -> list[str]:
    return [text.removeprefix("received ") for text in site.events() if text.startswith("received ")]


def test_a_message_sent_without_an_agent_is_handled_by_the_next_one(site):
    site.configure()
    site.run_application()
    site.start("lca", "host1")
    for number in ("5150", "00-05150"):
        status, output = site.run("event", number, A1)
        assert (status, output.partition(": ")[0]) == (0, f"the message waits in {site.directory}/state/spool")
    agent = site.start("agent")
    until(lambda: len(received(site)) == 2)
    assert received(site) == [f"00-5150 {A1}"] * 2
    until(lambda: list((site.directory / "state" / "spool").iterdir()) == [])
    until(lambda: site.states() == ("connected", "peer_lost_1", "owed_1"))
    status, output = site.run("event", "5150", A1)
    assert (status, output) == (0, "the message agrees with the report: alarm activated\n")
    assert ended(agent, signal.SIGTERM) == (0, [])


def test_the_log_of_an_scs_is_read_in_both_formats_and_across_a_rotation(site):
    """[S1], the application's own 00-4563, and [S2], the SCS's 00-5150; messages older than the agent are skipped."""
    site.configure()
    log, bookmark = site.directory / "logs" / "scs.log", site.directory / "state" / "scs.bookmark"
    log.parent.mkdir()
    followed = f"[scs_log]\nfile = {json.dumps(str(log))}\nbookmark = {json.dumps(str(bookmark))}\n"
    site.file.write_text(site.file.read_text() + followed)
    site.run_application()

    def write(*lines: str) -> None:
        with log.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    full = "2026-01-31T18:11:38.196   Standard   host1   {}   GCTI-00-{}   Application"
    write("Application name:   SCS_1", "File:   (1) 01/31/2026", full.format(A1, "05151"))
    site.start("lca", "host1")
    agent = site.start("agent")
    until(lambda: bookmark.exists() and site.states() == ("connected", "peer_lost_1", "owed_1"))
    write(full.format(A1, "05150"), full.format("Another Site's", "05150"), full.format(A1, "05060"))
    until(lambda: received(site) == [f"00-5150 {A1}"])
    log.rename(log.with_suffix(".1"))
    with log.with_suffix(".1").open("a") as old:  # a writer goes on until it learns of the rotation
        old.write(full.format(A2, "05090") + "\n")
    write(f"Application name:   {A1}", "File:   (2) 01/31/2026", "18:15:33.952 Std 04563 Hot standby")
    until(lambda: len(received(site)) == 3)
    write("18:15:33.953 Std 05151 Application", " and a line more")
    until(lambda: len(received(site)) == 4)
    assert received(site) == [f"00-5150 {A1}", f"00-5090 {A2}", f"00-4563 {A1}", f"00-5151 {A1}"]
    assert site.states() == ("connected", "peer_lost_1", "owed_1")  # the report of its host counts
    assert ended(agent, signal.SIGTERM) == (0, [])
    write("18:15:33.954 Std 05150 Application")
    agent = site.start("agent")
    until(lambda: len(received(site)) == 5)
    assert received(site)[-1] == f"00-5150 {A1}"
    assert ended(agent, signal.SIGTERM) == (0, [])
