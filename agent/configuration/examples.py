"""The commented examples of a configuration, as `switchover init` writes them."""

from importlib import resources

from attrs import fields

from ...fsm.alarms import Alarm, Reaction, ReactionKind
from ...fsm.documented.voicemail import voicemail_topology

EXAMPLES = ("sip", "voicemail")
"""The examples by name: the solution of [S2] (a pair of SIP Servers with a VIP), and the voicemail solution of [S1]."""

WARNED_OF = {
    "vip-on-monitored": "Resource Manager and Media Control Platform trigger the VIP scripts as well",
    "vip-on-vm-server": "the VM Servers trigger the VIP scripts instead",
}
"""The wirings that [S1] warns of, each with a description."""

_TIMEOUT_MS = fields(Alarm).cancel_timeout_ms.default


def example_text(name: str = "sip", wiring: str = "documented") -> str:
    """The text of an example; for the voicemail solution, with one of the wirings of `fsm.documented.voicemail`."""
    text = resources.files(__name__.rpartition(".")[0]).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    if name == "voicemail":
        if wiring in WARNED_OF:
            text += f"#\n# But here, as an example of what [S1] warns of, {WARNED_OF[wiring]}.\n"
        text += "".join(f"\n{alarm_text(alarm)}" for alarm in voicemail_topology(wiring).alarms)
    return text


def alarm_text(alarm: Alarm) -> str:
    """An alarm condition as TOML, without the keys that have their default."""
    lines = [
        "[[alarms]]",
        *(f'{key} = "{getattr(alarm, key)}"' for key in ("name", "detect", "application")),
        *([f'cancel = "{alarm.cancel}"'] if alarm.cancel else []),
        *([f"cancel_timeout_ms = {alarm.cancel_timeout_ms}"] if alarm.cancel_timeout_ms != _TIMEOUT_MS else []),
        "reactions = [",
        *(f"    {_reaction_text(reaction)}," for reaction in alarm.reactions),
        "]",
    ]
    return "\n".join(lines) + "\n"


def _reaction_text(reaction: Reaction) -> str:
    key = "application" if reaction.do is ReactionKind.TO_PRIMARY else "host"
    return f'{{ do = "{reaction.do}", {key} = "{reaction.target}" }}'
