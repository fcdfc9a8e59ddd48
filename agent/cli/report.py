"""`switchover report`: writes an incident as one HTML file."""

import argparse
import sys
from pathlib import Path

from ..configuration.load import Configuration, load
from ..history.incidents import Brief, Incident
from ..history.index import account, all_in_brief
from ..history.journal import read
from ..report.analysis import journal_lines
from ..report.document import Site, document

_DONE, _NOT_OK, _BAD_INPUT = 0, 1, 2
_LISTED_AT_MOST = 10


def run_report(options: argparse.Namespace) -> int:
    """Write the report of the incident; returns the exit status.

    With `--journal` and without a configuration, the report lacks what only the configuration contains.
    Raises `ConfigurationError` or `JournalError` if a file cannot be read.
    """
    configuration = None if options.journal and not Path(options.config).exists() else load(options.config)
    journal = Path(options.journal) if options.journal or not configuration else configuration.agent.journal
    found = account(journal, options.incident)
    if found is None:
        known = all_in_brief(journal)
        if not known:
            print(f"switchover: no incident in {journal}", file=sys.stderr)
            return _NOT_OK
        print(f"switchover: no incident {options.incident} in {journal}; there are {_ids(known)}", file=sys.stderr)
        return _BAD_INPUT
    incident = found.incident
    if found.recorded:
        version = found.written_by.get("version", "unknown")
        why = f"incident {found.brief.id} was decided otherwise by version {version} than this one would decide"
        print(f"switchover: {why}; `switchover why {found.brief.id}` shows what was recorded", file=sys.stderr)
    if incident is None:
        return _NOT_OK
    lines = journal_lines(incident, read(journal, incident.id - 1))
    return _write(document(incident, _site(incident, configuration), lines), incident, options.output)


def _ids(known: list[Brief]) -> str:
    """The numbers of the known incidents; if there are many, only the last ones."""
    ids = ", ".join(str(each.id) for each in known[-_LISTED_AT_MOST:])
    return f"{len(known)}, the last ones {ids}" if len(known) > _LISTED_AT_MOST else ids


def _site(incident: Incident, configuration: Configuration | None) -> Site:
    """What the configuration adds to the report; only the solution's name if it has changed since the incident."""
    if configuration is None:
        return Site()
    name = configuration.solution.name
    if configuration.topology() != incident.topology:
        return Site(name)
    addresses = tuple(str(address.ip) for address in configuration.vip.addresses)
    return Site(name, addresses, configuration.solution.detection_ms)


def _write(text: str, incident: Incident, output: str | None) -> int:
    if output == "-":
        sys.stdout.write(text)
        return _DONE
    path = Path(output or f"incident-{incident.id}.html")
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"switchover: {path} cannot be written: {error.strerror}", file=sys.stderr)
        return _NOT_OK
    print(f"{path} written: {incident.cause}; {incident.outcome}")
    return _DONE
