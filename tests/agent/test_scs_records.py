"""Records in a Genesys log, and lines that only look like one."""

import doctest

import pytest
from switchover.drivers.scs import records as scs_records
from switchover.drivers.scs.records import Record, read_record

RECORDS = [
    ("2002-05-07T18:11:38.196 Standard localhost cfg_dbserver GCTI-00-05060 Started", "00-05060", "cfg_dbserver"),
    ("2002-05-07T18:15:33.952 Std 05060 Application started", "05060", None),
    ("18:11:38.196 Alarm   host1   SIP Server 1   GCTI-00-05150   text", "00-05150", "SIP Server 1"),
    ("Alarm   host1   app   GCTI-00-04210   Active Alarm 'GCTI-00-05064' Cleared\r", "00-04210", "app"),
    ("5/7/2002 6:11:38 PM Trace host app GCTI-43-10611 text", "43-10611", "app"),
    ("вторник, 7 мая 2002, 18:11:38 Interaction host SIP_1 GCTI-00-05151", "00-05151", "SIP_1"),
    ("18:11:38.196\tUnknown\thost\tapp\tGCTI-00-05150\ttext", "00-05150", "app"),
    ("Unk 05091", "05091", None),
    ("18:11:38.196 Std\0 05\x00091 text", "05091", None),
    ("18:11:38.196 Std 05064 said: Standard host app GCTI-00-05150", "05064", None),
]
NO_RECORDS = [
    "",
    " ID: Std 05064 an attribute of the record before",
    "### MESSAGE#=05064, 'Std'",
    "no time at all Std 05064 Application terminated",
    "18:11:38.196 Std 5064 four digits",
    "18:11:38.196 Std 050640 six digits",
    "18:11:38.196 Standard host app GCTI-00-050640 six digits",
    "18:11:38.196 Standard host GCTI-00-05064 no application",
    "18:11:38.196 Standards 05064",
    "18:11:38.196 Trc said in passing: Std 05064 text",
    "1" * 81 + " Std 05064 too much for a time",
]


@pytest.mark.parametrize(("line", "event_id", "application"), RECORDS)
def test_a_record_has_an_id_and_perhaps_an_application(line: str, event_id: str, application: str | None) -> None:
    assert read_record(line.encode()) == Record(event_id, application)


@pytest.mark.parametrize("line", NO_RECORDS)
def test_any_other_line_is_not_a_record(line: str) -> None:
    assert read_record(line.encode()) is None


LONG_LEVELS = ["None", "Debug", "Trace", "Interaction", "Standard", "Alarm", "Unknown"]
SHORT_LEVELS = ["Non", "Dbg", "Trc", "Int", "Std", "Alr", "Unk"]


@pytest.mark.parametrize("level", LONG_LEVELS + SHORT_LEVELS)
def test_every_level_is_known_in_both_formats(level: str) -> None:
    assert read_record(f"18:11:38.196 {level} 05150 text".encode()) == Record("05150", None)
    assert read_record(f"18:11:38.196 {level} h a GCTI-00-05150 text".encode()) == Record("00-05150", "a")


def test_the_examples_of_the_records_are_true() -> None:
    assert doctest.testmod(scs_records).failed == 0
