# ruff: noqa: E501 - a rule is a line
"""The stricter step rules: what must hold between the faults and the repairs, however much has failed.

`HEALED` describes the end, when everything is repaired. A core that leaves a solution without service until then breaks
none of those properties; so these rules judge the time before, both the solution at rest and every single step. The
functions that judge them stand in a module for each subject: the solution at rest (`at_rest`), hosts in sight
(`sight`), messages and alarm conditions (`messages`), pairs (`pairs`), and the VIP (`vip`).
"""

from ....fsm import HostConnected, LogMessageReceived, SwitchoverRequested
from ..model.core import Leaf
from ..model.watched import Result
from . import at_rest, messages, pairs, sight, vip
from .always import Property, StepRule

_REST = ("link", "pending", "timers")
"""The kinds of cells that decide whether the core is at rest."""


def _commands_nothing(leaf: Leaf) -> bool:
    return not leaf.commands and not leaf.error


def _always(leaf: Leaf) -> bool:
    return not leaf.error


# fmt: off
MORE_STEP_RULES = (
    StepRule(Property("primary at rest", "always", "whenever nothing is under way, each pair that can have a primary has one"),
             _commands_nothing, at_rest.pair_without_primary, after=(*_REST, "pair")),
    StepRule(Property("VIP at rest", "always", "whenever nothing is under way, the VIP is on the primary's host and on no other host in sight"),
             _commands_nothing, at_rest.vip_misplaced, after=(*_REST, "pair", "held")),
    StepRule(Property("states match reports", "always", "whenever nothing is under way, the states match what the hosts have reported"),
             _commands_nothing, at_rest.states_contradict_reports, after=(*_REST, "pair", "application", "vip", "placement")),
    StepRule(Property("no VIP in transit", "always", "whenever nothing is under way, the VIP is not on its way from one host to the other"),
             _commands_nothing, at_rest.vip_in_transit, after=(*_REST, "vip")),
    StepRule(Property("placement at rest", "always", "whenever nothing is under way, all primaries are on one host if one can take all, and not on the worse one"),
             _commands_nothing, at_rest.primaries_misplaced, after=(*_REST, "pair", "application")),
    StepRule(Property("knowledge matches sight", "always", "the core knows everything about hosts in sight, and assumes nothing about other hosts"),
             _always, sight.knowledge_contradicts_sight, after=("link", "held", "application", "pair")),
    StepRule(Property("doubtful with reason", "always", "a host that is heard is in sight, and a host is doubtful only while the other one is silent"),
             _always, sight.wrong_link_state, after=("link",)),
    StepRule(Property("blind", "always", "while no host is in sight, the core assumes nothing about pairs and the VIP"),
             _always, sight.believes_while_blind, after=("link", "pair", "vip")),
    StepRule(Property("alarms notified", "always", "alarm conditions are notified of everything that fails, starts, becomes primary, or is made backup"),
             messages.alarms_not_notified),
    StepRule(Property("alarms end", "always", "an alarm condition that has reacted stays active until its cancel event or its timeout, which is running"),
             _always, messages.alarm_never_cancelled, after=("alarm", "timers")),
    StepRule(Property("reacts again", "always", "an alarm condition reacts again when the event it detects is restated"),
             _always, messages.does_not_react_again),
    StepRule(Property("literal scripts", "always", "with the policy `literal`, each reaction launches its script on a host in sight"),
             lambda leaf: bool(leaf.records), messages.literal_script_missing, after=("link", "pending")),
    StepRule(Property("VIP order", "always", "reactions move the VIP in the configured order"),
             lambda leaf: bool(leaf.commands), vip.wrong_order, after=("held", "pending")),
    StepRule(Property("pairs match reports", "always", "the state of a pair matches what the hosts have reported of it"),
             _always, pairs.contradicts_reports, after=("pair",)),
    StepRule(Property("as wanted", "always", "a pair promotes only the side it wants as primary and demotes only the other, and pairs are gathered on the side the placement wants"),
             pairs.promotes_unwanted_side),
    StepRule(Property("as asked", "always", "a requested switchover of a redundant pair to a host that is no worse takes place"),
             lambda leaf: isinstance(leaf.occurrence[0], SwitchoverRequested | LogMessageReceived), pairs.request_refused, before=("pair", "application"), after=("pair",)),
    StepRule(Property("true messages activate", "always", "a true message from outside activates the alarm conditions that detect it"),
             lambda leaf: isinstance(leaf.occurrence[0], LogMessageReceived), messages.true_message_ignored, before=("pair", "application"), after=("alarm",)),
    StepRule(Property("tie-break", "always", "of two primaries or two backups that are in sight again, the VIP's only holder wins"),
             lambda leaf: any(step.decision.source.startswith("first_seen") for step in leaf.steps), pairs.wrong_tie_break, before=("held",)),
    StepRule(Property("announced again", "always", "the VIP's holder announces it again when the other host has released it or comes back without it"),
             lambda leaf: isinstance(leaf.occurrence[-1], Result | HostConnected), vip.not_announced_again, before=("link",), after=("link", "held", "vip", "pending")),
    StepRule(Property("the latest request counts", "always", "the VIP is wanted where the last reaction requested it, and not where it requested its release"),
             vip.older_request_wins),
    StepRule(Property("announced", "always", "the VIP is announced when it arrives on a host, or remains on one only, unless a script has just announced it"),
             vip.not_announced),
    StepRule(Property("the loser's VIP", "always", "the loser of a split brain that cannot be demoted loses at least the VIP"),
             lambda leaf: isinstance(leaf.occurrence[-1], Result), vip.loser_keeps_vip, after=("pair", "held", "pending", "vip")),
    StepRule(Property("in turns", "always", "if one of two backups cannot be promoted, the other one is tried next"),
             lambda leaf: isinstance(leaf.occurrence[-1], Result), pairs.same_backup_tried_again, before=("pair",), after=("pair", "pending")),
    StepRule(Property("no stray promotion", "always", "no old primary is taken back while its successor is being promoted"),
             pairs.leaves_taking_over, pairs.stray_promotion, before=("pending",)),
    StepRule(Property("VIP matches reports", "always", "the state of the VIP matches what was last seen on the hosts, unless a script or a look is under way there"),
             _always, vip.contradicts_reports, after=("vip", "held", "pending", "timers")),
)
# fmt: on
