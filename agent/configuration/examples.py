"""The commented examples of a configuration, as `switchover init` writes them."""

from importlib import resources

from attrs import fields

from ...fsm.alarms import Alarm, Reaction, ReactionKind
from ...fsm.documented.voicemail import voicemail_topology

EXAMPLES = ("sip", "voicemail")
"""The solution of [S2], a pair of SIP Servers with a VIP, and that of [S1], a whole voicemail solution."""

WARNED_OF = {
    "vip-on-monitored": "the VIP scripts hang on Resource Manager and Media Control Platform as well",
    "vip-on-vm-server": "the VIP scripts hang on the VM Servers instead",
}
"""What the wirings are that [S1] warns of."""

_TIMEOUT_MS = fields(Alarm).cancel_timeout_ms.default


def example_text(name: str = "sip", wiring: str = "documented") -> str:
    """The example of this name; the voicemail solution's with one of the wirings of `fsm.voicemail`."""
    text = resources.files(__name__.rpartition(".")[0]).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    if name == "voicemail":
        if wiring in WARNED_OF:
            text += f"#\n# But here, to show what [S1] warns of, {WARNED_OF[wiring]}.\n"
        text += "".join(f"\n{alarm_text(alarm)}" for alarm in voicemail_topology(wiring).alarms)
    return text


def alarm_text(alarm: Alarm) -> str:
    """An alarm condition as it stands in the file, without what is the default."""
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
