"""What `switchover status` prints of the agent's status, and whether the solution is as it should be."""

from datetime import datetime
from typing import Any


def is_whole(status: dict[str, Any]) -> bool:
    """Whether there is redundancy, all primaries are on one host, and one host holds the VIP."""
    is_together = status["placement"].startswith("together_")
    return status["redundancy"] and is_together and status["vip"]["state"].startswith("held_")


def as_text(status: dict[str, Any]) -> str:
    """The status for people: a headline, then a line for each part."""

    def known(value: object, words: str) -> str:
        return "unknown" if value is None else words

    how = "as it should be" if is_whole(status) else "NOT as it should be"
    journal = journal_in_words(status)
    observing = "; observing: nothing is done" if status["observing"] else ""
    lines = [f"solution {status['solution']}: {how}{'' if status['redundancy'] else '; no redundancy'}{observing}"]
    if journal:
        lines = [f"{lines[0]}; {journal}"]
    for host in status["hosts"]:
        vip = known(host["vip_held"], "holds the VIP" if host["vip_held"] else "does not hold the VIP")
        lines.append(f"  host {host['name']:<20} {host['link']:<10} {vip}")
    for pair in status["pairs"]:
        lines.append(f"  pair {pair['name']:<20} {pair['state']}")
        lines += [
            f"    {each['name']:<23} {known(each['mode'], str(each['mode'])):<10} on {each['host']}"
            for each in pair["applications"]
        ]
    for pair in status["monitored"]:
        lines.append(f"  pair {pair['name']:<20} monitored")
        lines += [f"    {each['name']:<23} {each['state']:<10} on {each['host']}" for each in pair["applications"]]
    lines.append(f"  VIP  {', '.join(status['vip']['addresses']):<20} {status['vip']['state']}")
    lines += [f"  alarm {alarm['name']}: {alarm['state']}" for alarm in status["alarms"]]
    lines += [f"  pending: {command}" for command in status["pending"]]
    return "\n".join(lines)


def journal_in_words(status: dict[str, Any]) -> str:
    """What is wrong with the agent's journal; empty if every event is in it.

    >>> journal_in_words({"journal": {"missing": 3, "not_written_since": None, "reason": ""}})
    'journal: 3 events missing since the agent started'
    >>> journal_in_words({"journal": {"missing": 0, "not_written_since": None, "reason": ""}})
    ''
    """
    journal = status.get("journal", {"missing": 0, "not_written_since": None})
    missing = f"{journal['missing']} event{'' if journal['missing'] == 1 else 's'} missing"
    if journal["not_written_since"]:
        since = datetime.fromisoformat(journal["not_written_since"]).astimezone()
        return f"journal: not written since {since:%Y-%m-%d %H:%M:%S%z}, {missing} ({journal['reason']})"
    return f"journal: {missing} since the agent started" if journal["missing"] else ""


def does_run(status: dict[str, Any], name: str) -> bool | None:
    """Whether the application of this name runs; None if that is not known."""
    for pair in status["pairs"]:
        for each in pair["applications"]:
            if each["name"] == name:
                return None if each["mode"] is None else each["mode"] != "down"
    states = {each["name"]: each["state"] for pair in status["monitored"] for each in pair["applications"]}
    return {"up": True, "down": False}.get(states.get(name, ""))


def is_primary(status: dict[str, Any], name: str) -> bool:
    """Whether the application of this name is primary, or every application of the host of this name."""
    named = [a for pair in status["pairs"] for a in pair["applications"] if name in (a["name"], a["host"])]
    return all(application["mode"] == "primary" for application in named)
