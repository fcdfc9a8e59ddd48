"""The lab's own SIP server answers as SIP wants it."""

from pathlib import Path

import pytest
from switchover.agent.lab.programs import responder


def test_an_answer_repeats_what_pairs_it_with_its_request() -> None:
    request = (
        b"OPTIONS sip:198.51.100.10 SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP b\r\n"
        b"Max-Forwards: 70\r\nFrom: <sip:c>;tag=1\r\nTo: <sip:d>\r\nCall-ID: 7.x\r\nCSeq: 7 OPTIONS\r\n\r\nVia: body"
    )
    assert (responder.answer(request, "S (primary)") or b"").decode().split("\r\n") == [
        "SIP/2.0 200 OK", "Via: SIP/2.0/UDP a;branch=z9hG4bK1", "Via: SIP/2.0/UDP b", "From: <sip:c>;tag=1",
        "To: <sip:d>;tag=lab", "Call-ID: 7.x", "CSeq: 7 OPTIONS", "Server: S (primary)", "Content-Length: 0", "", "",
    ]  # fmt: skip


def test_what_is_not_served_is_answered_or_ignored_as_sip_wants_it() -> None:
    invite = responder.answer(b"INVITE sip:a SIP/2.0\r\nTo: <sip:a>;tag=9\r\n\r\n", "S")
    assert (invite or b"").decode().split("\r\n") == [
        "SIP/2.0 405 Method Not Allowed", "To: <sip:a>;tag=9",
        "Server: S", "Allow: OPTIONS", "Content-Length: 0", "", "",
    ]  # fmt: skip
    for text in (b"ACK sip:a SIP/2.0\r\n\r\n", b"SIP/2.0 200 OK", b"\xff"):
        assert responder.answer(text, "S") is None


@pytest.mark.parametrize("arguments", [[], ["serve", "N", "/d"], ["mode", "/d", "master"], ["mode"]])
def test_the_responder_explains_its_command_line(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match=r"usage: responder\.py"):
        responder.main(arguments)


def test_a_mode_command_without_a_server_fails(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no SIP server answers in"):
        responder.main(["mode", str(tmp_path)])
