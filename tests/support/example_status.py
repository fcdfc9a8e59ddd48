"""An example of the status that an agent sends, for the tests of its display."""

from typing import Any

STATUS: dict[str, Any] = {
    "solution": "lab",
    "observing": False,
    "hosts": [
        {"name": "host1", "link": "connected", "vip_held": True, "heard_ms_ago": 20.0},
        {"name": "host2", "link": "connected", "vip_held": False, "heard_ms_ago": 30.0},
    ],
    "pairs": [
        {
            "name": "SIP Server",
            "state": "redundant_1",
            "applications": [
                {"name": "SIP_Server_1", "host": "host1", "mode": "primary"},
                {"name": "SIP_Server_2", "host": "host2", "mode": "backup"},
            ],
        }
    ],
    "monitored": [
        {
            "name": "RM",
            "applications": [
                {"name": "RM_1", "host": "host1", "state": "up"},
                {"name": "RM_2", "host": "host2", "state": "up"},
            ],
        }
    ],
    "outside": [],
    "placement": "together_1",
    "redundancy": True,
    "alarms": [{"name": "SIP_Server_1 primary", "state": "active"}, {"name": "old", "state": "rearmed"}],
    "vip": {"state": "held_1", "addresses": ["198.51.100.10/24"]},
    "pending": ["announce_vip host1"],
    "journal": {"missing": 0, "not_written_since": None, "reason": ""},
}


def with_hosts(*hosts: tuple[str, float | None], **changes: Any) -> dict[str, Any]:
    """The status with these links and ages of the hosts."""
    links = [
        old | {"link": link, "heard_ms_ago": heard_ms_ago}
        for old, (link, heard_ms_ago) in zip(STATUS["hosts"], hosts, strict=True)
    ]
    return STATUS | {"hosts": links} | changes
