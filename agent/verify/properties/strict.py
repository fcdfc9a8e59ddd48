# ruff: noqa: E501 - a rule is a line
"""More steps that are judged: what must be so whenever nothing is under way, however much has failed.

`HEALED` tells of the end, when everything is repaired. A core that leaves a solution without service until then breaks
none of that; so here are the rules for the time in between, of the solution at rest and of every single step. What
breaks each of them is in `strict`: a module for the solution at rest, for what is in sight, for messages and alarm
conditions, for pairs, and for the VIP.
"""

from ....fsm import HostConnected, LogMessageReceived, SwitchoverRequested
from ..model.core import Leaf
from ..model.watched import Result
from . import at_rest, messages, pairs, sight, vip
from .always import Property, StepRule

_REST = ("link", "told", "timers")
"""The cells that tell whether the core is at rest."""


def _commands_nothing(leaf: Leaf) -> bool:
    return not leaf.commands and not leaf.error


def _always(leaf: Leaf) -> bool:
    return not leaf.error


# fmt: off
MORE_STEP_RULES = (
    StepRule(Property("serves meanwhile", "always", "whenever nothing is under way, each pair that can have a primary has one"),
             _commands_nothing, at_rest.serves_not, after=(*_REST, "pair")),
    StepRule(Property("VIP meanwhile", "always", "whenever nothing is under way, the VIP is on the primary's host and, in sight, nowhere else"),
             _commands_nothing, at_rest.lacks_vip, after=(*_REST, "pair", "held")),
    StepRule(Property("says what is so", "always", "whenever nothing is under way, the states say what the hosts have reported"),
             _commands_nothing, at_rest.tells_otherwise, after=(*_REST, "pair", "application", "vip", "placement")),
    StepRule(Property("nothing half done", "always", "whenever nothing is under way, the VIP is not on its way from one host to the other"),
             _commands_nothing, at_rest.half_done, after=(*_REST, "vip")),
    StepRule(Property("placed well", "always", "whenever nothing is under way, all primaries are on one host if one can take all, and not on the worse one"),
             _commands_nothing, at_rest.misplaced, after=(*_REST, "pair", "application")),
    StepRule(Property("knows what is in sight", "always", "everything is known of a host in sight, and nothing is believed of any other one"),
             _always, sight.knows_otherwise, after=("link", "held", "application", "pair")),
    StepRule(Property("doubts with reason", "always", "a host that is heard is in sight, and none is in doubt unless the other one is silent too"),
             _always, sight.doubts_for_nothing, after=("link",)),
    StepRule(Property("blind", "always", "while no host is in sight, nothing is believed of any pair and of the VIP"),
             _always, sight.is_told_nothing, after=("link", "pair", "vip")),
    StepRule(Property("alarms are told", "always", "alarm conditions are told of all that fails, starts, becomes primary, or is made backup"),
             messages.keeps_from_alarms),
    StepRule(Property("alarms end", "always", "an alarm condition that has reacted is active, until its cancel event comes or its timeout, which is under way"),
             _always, messages.is_latched_for_ever, after=("alarm", "timers")),
    StepRule(Property("reacts again", "always", "an alarm condition reacts again when what it waits for is so after all"),
             _always, messages.keeps_still),
    StepRule(Property("literal scripts", "always", "with the policy `literal`, each reaction launches its script on a host in sight"),
             lambda leaf: bool(leaf.records), messages.keeps_from_scripts, after=("link", "told")),
    StepRule(Property("VIP order", "always", "reactions move the VIP in the configured order"),
             lambda leaf: bool(leaf.commands), vip.out_of_order, after=("held", "told")),
    StepRule(Property("pairs say what is so", "always", "the state of a pair says what the hosts have reported of it"),
             _always, pairs.errs, after=("pair",)),
    StepRule(Property("as wanted", "always", "what a pair promotes is what it wants as primary, what it demotes is not, and pairs are gathered where the placement wants them"),
             pairs.wants_otherwise),
    StepRule(Property("as asked", "always", "whoever asks for a switchover of a redundant pair, to a host that is no worse, gets it"),
             lambda leaf: isinstance(leaf.told[0], SwitchoverRequested | LogMessageReceived), pairs.refuses, before=("pair", "application"), after=("pair",)),
    StepRule(Property("messages count", "always", "a message from outside that says what is so activates the alarm conditions that wait for it"),
             lambda leaf: isinstance(leaf.told[0], LogMessageReceived), messages.turns_a_deaf_ear, before=("pair", "application"), after=("alarm",)),
    StepRule(Property("tie-break", "always", "of two primaries, or two backups, that are seen again the VIP's only holder wins"),
             lambda leaf: any(step.decision.source.startswith("first_seen") for step in leaf.steps), pairs.breaks_a_tie_otherwise, before=("held",)),
    StepRule(Property("announced again", "always", "whoever keeps the VIP when the other host has released it, or comes back without it, announces it again"),
             lambda leaf: isinstance(leaf.told[-1], Result | HostConnected), vip.keeps_quiet, before=("link",), after=("link", "held", "vip", "told")),
    StepRule(Property("the newest wish counts", "always", "the VIP is wanted where the last reaction asked for it, and not where it asked for its release"),
             vip.old_wish),
    StepRule(Property("announced", "always", "the VIP is announced wherever it comes to, or stays alone, otherwise than by a script that does so"),
             vip.arrives_quietly),
    StepRule(Property("the loser's VIP", "always", "the loser of a split brain that cannot be demoted loses at least the VIP"),
             lambda leaf: isinstance(leaf.told[-1], Result), vip.loser_keeps_vip, after=("pair", "held", "told", "vip")),
    StepRule(Property("in turns", "always", "of two backups of which one cannot be promoted the other one is tried next"),
             lambda leaf: isinstance(leaf.told[-1], Result), pairs.same_turn, before=("pair",), after=("pair", "told")),
    StepRule(Property("no stray promotion", "always", "no old primary is taken back while its successor is being promoted"),
             pairs.switches_back, pairs.strays, before=("told",)),
    StepRule(Property("VIP says what is so", "always", "the state of the VIP says what was last seen on the hosts, unless a script or a look is under way there"),
             _always, vip.errs, after=("vip", "held", "told", "timers")),
)
# fmt: on
