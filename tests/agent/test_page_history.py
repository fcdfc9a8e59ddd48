"""The incidents that the page shows whole: those of the journal that is there now."""

from pathlib import Path

from switchover.agent.history.journal import Journal, event_entry, start_entry
from switchover.agent.page.history import History
from switchover.fsm import HostConnected, HostLost, HostReport, Mode, Pair, Topology, documented_alarms

SIP = Pair("SIP Server", ("SIP_Server_1", "SIP_Server_2"))
HOSTS = ("host1", "host2")
TOPOLOGY = Topology(HOSTS, (SIP,), documented_alarms(SIP.applications, HOSTS))

CONNECTED = [
    HostConnected(host, HostReport({name: Mode.BACKUP}, vip_held=False))
    for host, name in zip(HOSTS, SIP.applications, strict=True)
]


def write_run(path: Path, *hosts: str) -> None:
    """A run of an agent, after which each of these hosts is lost."""
    journal = Journal(path)
    journal.write([start_entry(TOPOLOGY)])
    for event in (*CONNECTED, *(HostLost(host) for host in hosts)):
        journal.write([event_entry(type(event).__name__, event)])
    journal.close()


def test_a_journal_that_was_archived_is_left_and_the_new_one_followed(tmp_path: Path) -> None:
    """The numbers begin anew there: an incident of the old journal must not be shown for one of the new."""
    path = tmp_path / "journal.sqlite"
    write_run(path, "host1")
    history = History(path)
    archived = history.text_of(2)
    path.rename(tmp_path / "archived.sqlite")
    write_run(path, "host2")
    assert archived != history.text_of(2) == History(path).text_of(2)


def test_incidents_of_an_earlier_run_are_kept_as_long_as_the_page_runs(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    write_run(path, "host1")
    history = History(path)
    before = history.text_of(2)
    write_run(path, "host2")
    assert history.text_of(2) == before
    assert history.text_of(6) is not None
    assert History(path).text_of(2) is None
