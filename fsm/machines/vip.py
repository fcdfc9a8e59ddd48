"""The Virtual IP: which host holds it, and how it moves.

A state names the side that holds it or is to hold it (*this*), and what is known of both hosts' addresses:

    state            this                     other
    held             has it                   has it not
    owed             has it                   its host is lost and may have it: it owes a release
    enabling         is being given it        has it not
    enabling_owed    is being given it        its host is lost and may have it
    moving           is being given it        it is being taken away
    clearing         is to be given it next   it is being taken away         (order `disable-first`)
    sharing          is being given it        has it, nobody asked for its release
    covering         is being given it        has it until this one has it   (order `enable-first`)
    draining         has it                   has it, and answers what it has received  (order `enable-first`)
    conflict         has it                   has it, nobody asked for its release
    releasing        has it                   it is being taken away
    leaving          it is being taken away   has it not
    leaving_owed     it is being taken away   its host is lost and may have it
    absent           has it not               its host is lost and may have it
    off              neither has it
    out_of_sight     neither host is heard

1. The VIP follows the alarm reactions (`enable_asked`, `disable_asked`) and nothing else; where it is, the hosts tell.
2. A reaction that asks for what is so, or is under way, runs nothing: one switchover, one run of each script.
3. A script for a host that is lost cannot run. The release is owed, and is collected when the host returns: by the
   reaction to its demotion if one is to come, else at once.
4. Whoever keeps the VIP announces it again when the other host's release is confirmed. Without that, clients may keep
   the loser's hardware address in their caches (Cisco routers: for four hours).
5. A script that fails is run again after a while, for as long as what it was to do is still wanted. One of which it is
   not known what it did is followed by a look at the interface.
6. An SCS launches its scripts whether or not there is anything to do. The policy `literal` does so too (`..._ordered`
   in the place of `..._asked`), to show what that costs.
7. It is put back on a host from which it vanished only while the component that it follows is primary there.
8. A host that was told to enable it announces it (`enabled`); one that has it otherwise (`held`) is told to. Likewise
   one that was told to disable it (`released`) may have announced it until then; one that has it not (`free`) has not.
9. What was seen last of a host counts: where a state says otherwise, and no script is under way there that may change
   it, the machine is told once more what was seen (`facts.vip_surprise`).

Weakness, admitted: from the loss of a host until its release, both hosts have the VIP, as [S2] describes it.
"""

from ..table import Ignored, Impossible, Row, Table

HELD = {
    "held": (True, False),
    "owed": (True, None),
    "enabling": (False, False),
    "enabling_owed": (False, None),
    "moving": (False, True),
    "clearing": (False, True),
    "sharing": (False, True),
    "covering": (False, True),
    "draining": (True, True),
    "conflict": (True, True),
    "releasing": (True, True),
    "leaving": (True, False),
    "leaving_owed": (True, None),
    "absent": (False, None),
    "off": (False, False),
}
"""Whether *this* and the *other* host have it in a state, as the list above says; None: its host is lost."""

AT_REST = ("held", "owed", "absent", "off", "out_of_sight")
"""The states in which nothing is under way."""

# fmt: off
ROWS = (
    #   source                             trigger                                      guard               destination      outputs                       cite                                    reason
    # The documented move: both scripts, in the order that is configured.
    Row("held",                            "this_disable_asked this_disable_ordered",   "",                 "leaving",       "disable this",               "[S2] manual, steps 7-8",               "the script that disables the VIP is launched"),
    Row("owed",                            "this_disable_asked this_disable_ordered",   "",                 "leaving_owed",  "disable this",               "rule: a host is lost",                 "the script that disables the VIP is launched"),
    Row("leaving",                         "other_enable_asked other_enable_ordered",   "together",         "~moving",       "enable other",               "[S2] manual, steps 7-8",               "the script that enables the VIP is launched at the same time"),
    Row("leaving",                         "other_enable_asked other_enable_ordered",   "disable_first",    "~clearing",     "disable this",               "rule: VIP order",                      "it is enabled there when it is gone here"),
    Row("leaving",                         "other_enable_asked other_enable_ordered",   "enable_first",     "~moving",       "enable other",               "rule: VIP order",                      "it is being disabled already: it is enabled there at once"),
    Row("held",                            "other_enable_asked other_enable_ordered",   "together",         "~sharing",      "enable other",               "rule: VIP order",                      "the script that enables the VIP is launched; its release here has not been asked for"),
    Row("held",                            "other_enable_asked other_enable_ordered",   "disable_first",    "~clearing",     "disable this",               "rule: VIP order",                      "it is disabled here before it is enabled there"),
    Row("held",                            "other_enable_asked other_enable_ordered",   "enable_first",     "~sharing",      "enable other",               "rule: VIP order",                      "it is enabled there before it is disabled here"),
    Row("sharing",                         "other_disable_asked other_disable_ordered", "together",         "moving",        "disable other",              "rule: VIP order",                      "both scripts are launched"),
    Row("sharing",                         "other_disable_asked other_disable_ordered", "disable_first",    "moving",        "disable other",              "rule: VIP order",                      "it is being enabled already: it is disabled at once"),
    Row("sharing",                         "other_disable_asked other_disable_ordered", "enable_first",     "covering",      "",                           "rule: VIP order",                      "it is disabled there when it is seen here"),
    Row("covering",                        "this_enabled",                              "",                 "draining",      "start_drain",                "rule: VIP order",                      "it is here and announced; the other host may still answer what it has received"),
    Row("covering",                        "this_held",                                 "",                 "draining",      "announce this; start_drain", "rule: announce again",                 "it is here, by another hand or since before: announced"),
    Row("draining",                        "drained",                                   "",                 "releasing",     "disable other",              "rule: VIP order",                      "now it is disabled there"),
    Row("moving",                          "this_enabled",                              "",                 "releasing",     "",                           "[S2] manual, step 8",                  "it is here; the release of the other host is still to come"),
    Row("moving",                          "this_held",                                 "",                 "releasing",     "announce this",              "rule: announce again",                 "it is here, by another hand or since before: announced"),
    Row("moving",                          "other_free other_released",                 "",                 "enabling",      "announce this",              "rule: announce again",                 "the other host has released it: announced again here as soon as it has come"),
    Row("clearing",                        "other_free other_released",                 "this_serves",      "enabling",      "enable this",                "rule: VIP order",                      "the other host has released it: now it is enabled here"),
    Row("clearing",                        "other_free other_released",                 "this_serves_not",  "off",           "",                           "rule: never for a backup",             "nothing is primary here any more: the next one that is primary is given it"),
    Row("enabling",                        "this_enabled",                              "",                 "held",          "",                           "[S2] manual, step 8",                  "it is here, and nowhere else"),
    Row("enabling",                        "this_held",                                 "",                 "held",          "announce this",              "rule: announce again",                 "it is here, by another hand or since before: announced"),
    Row("releasing",                       "other_free other_released",                 "",                 "held",          "announce this",              "[S2] reconnection, step 8",            "the release is confirmed: whoever keeps it announces it again"),
    Row("conflict draining",               "other_free other_released",                 "",                 "held",          "announce this",              "rule: announce again",                 "it is gone there: whoever keeps it announces it again"),
    Row("leaving",                         "this_free this_released",                   "",                 "off",           "",                           "rule: the newest wish counts",         "it is gone"),
    Row("off",                             "this_enable_asked this_enable_ordered",     "",                 "enabling",      "enable this",                "rule: it stays where it belongs",      "the script that enables the VIP is launched"),

    # A host is lost, and returns.
    Row("held releasing draining",         "other_unreachable",                         "",                 "owed",          "",                           "rule: a host is lost",                 "the other host is lost: if it has the VIP it owes a release"),
    Row("held",                            "this_unreachable",                          "",                 "~absent",       "",                           "[S2] disconnected, step 1",            "the host that holds the VIP is lost: it owes a release"),
    Row("absent",                          "this_enable_asked this_enable_ordered",     "",                 "enabling_owed", "enable this",                "[S2] disconnected, step 6",            "the script that enables the VIP is launched; the one on the lost host cannot run"),
    Row("enabling_owed",                   "this_enabled",                              "",                 "owed",          "",                           "[S2] disconnected, after step 6",      "it is here; the lost host still owes its release"),
    Row("enabling_owed",                   "this_held",                                 "",                 "owed",          "announce this",              "rule: announce again",                 "it is here, by another hand or since before: announced"),
    Row("enabling moving clearing sharing covering", "other_unreachable",               "this_serves",      "enabling_owed", "enable this",                "rule: a host is lost",                 "the other host is lost: it is enabled here without waiting for the release"),
    Row("enabling moving clearing sharing covering", "other_unreachable",               "this_serves_not",  "absent",        "",                           "rule: never for a backup",             "nothing is primary here any more: the next one that is primary is given it"),
    Row("leaving",                         "other_unreachable",                         "",                 "leaving_owed",  "",                           "rule: a host is lost",                 "the other host is lost while it is being disabled here"),
    Row("conflict",                        "other_unreachable",                         "",                 "owed",          "",                           "rule: a host is lost",                 "the other host is lost again before its release"),
    Row("enabling leaving",                "this_unreachable",                          "",                 "~absent",       "",                           "rule: a host is lost",                 "this host is lost, and the other one has it not"),
    Row("moving clearing releasing",       "this_unreachable",                          "",                 "~leaving_owed", "",                           "rule: a host is lost",                 "this host is lost, while the other one is releasing it"),
    Row("sharing covering conflict draining", "this_unreachable",                       "",                 "~owed",         "",                           "rule: a host is lost",                 "this host is lost, and the other one has it"),
    Row("off",                             "this_unreachable",                          "",                 "~absent",       "",                           "rule: a host is lost",                 "a host is lost, and the other one has it not"),
    Row("* off",                           "blinded",                                   "",                 "out_of_sight",  "",                           "rule: both silent",                    "no host is heard: nothing is commanded until one is"),
    Row("owed held",                       "other_held other_enabled",                  "other_is_demoted", "conflict",      "",                           "[S2] reconnection, step 2",            "both hosts have it, and the reaction to the demotion there will release it"),
    Row("owed held",                       "other_held other_enabled",                  "this_is_demoted",  "~conflict",     "",                           "rule: tie-break",                      "both hosts have it, and the reaction to the demotion here will release it"),
    Row("owed held",                       "other_held other_enabled",                  "other_is_primary", "~releasing",    "disable this",               "rule: debts are collected",            "both hosts have it: it belongs to the host of the primary"),
    Row("owed held",                       "other_held other_enabled",                  "other_is_nothing", "releasing",     "disable other",              "rule: debts are collected",            "both hosts have it, and no reaction will release it there: it is released now"),
    Row("conflict",                        "other_disable_asked other_disable_ordered", "",                 "releasing",     "disable other",              "[S2] reconnection, steps 7-8",         "the script that disables the VIP is launched on the host that returned"),
    Row("conflict",                        "this_disable_asked this_disable_ordered",   "",                 "~releasing",    "disable this",               "rule: tie-break",                      "the other host is to keep it"),
    Row("conflict",                        "other_enable_asked other_enable_ordered",   "",                 "~conflict",     "",                           "rule: tie-break",                      "the other host is to keep it"),
    Row("conflict",                        "this_free this_released",                   "this_serves",      "sharing",       "enable this",                "rule: it stays where it belongs",      "it vanished from the host that is to keep it: it is put back"),
    Row("conflict",                        "this_free this_released",                   "this_serves_not",  "~held",         "announce other",             "rule: announce again",                 "it is gone here: the other host keeps it and announces it again"),
    Row("held",                            "other_released",                            "",                 "=",             "announce this",              "rule: announce again",                 "the other host has released it, and may have announced it before: announced again"),
    Row("owed",                            "other_free other_released",                 "",                 "held",          "announce this",              "rule: announce again",                 "the lost host returned without it: whoever keeps it announces it again"),
    Row("enabling_owed",                   "other_free other_released",                 "",                 "enabling",      "",                           "rule: a host returns",                 "the lost host returned without it"),
    Row("leaving_owed",                    "other_free other_released",                 "",                 "leaving",       "",                           "rule: a host returns",                 "the lost host returned without it"),
    Row("absent",                          "other_free other_released",                 "",                 "off",           "",                           "rule: a host returns",                 "neither host has it"),
    Row("absent",                          "other_held other_enabled",                  "",                 "~held",         "announce other",             "rule: announce again",                 "the lost host returned with it, and nobody else has it"),
    Row("enabling_owed enabling",          "other_held other_enabled",                  "other_is_demoted", "sharing",       "",                           "rule: debts are collected",            "the other host has it, and the reaction to its demotion will release it"),
    Row("enabling_owed enabling",          "other_held other_enabled",                  "this_is_demoted",  "moving",        "disable other",              "rule: debts are collected",            "the other host has it, and it was asked for here"),
    Row("enabling_owed enabling",          "other_held other_enabled",                  "other_is_primary", "moving",        "disable other",              "rule: debts are collected",            "the other host has it, and it was asked for here"),
    Row("enabling_owed enabling",          "other_held other_enabled",                  "other_is_nothing", "moving",        "disable other",              "rule: debts are collected",            "the other host has it, and it was asked for here"),

    # Turned back, or asked for what is not the documented pair of scripts.
    Row("leaving",                         "this_enable_asked this_enable_ordered",     "",                 "enabling",      "enable this",                "rule: the newest wish counts",         "it is wanted here again"),
    Row("leaving_owed",                    "this_enable_asked this_enable_ordered",     "",                 "enabling_owed", "enable this",                "rule: the newest wish counts",         "it is wanted here again"),
    Row("enabling",                        "this_disable_asked this_disable_ordered",   "",                 "leaving",       "disable this",               "rule: the newest wish counts",         "it is not wanted here any more"),
    Row("enabling_owed",                   "this_disable_asked this_disable_ordered",   "",                 "leaving_owed",  "disable this",               "rule: the newest wish counts",         "it is not wanted here any more"),
    Row("moving releasing",                "this_disable_asked this_disable_ordered",   "",                 "leaving",       "disable this",               "rule: the newest wish counts",         "it is wanted on neither host"),
    Row("clearing",                        "this_disable_asked this_disable_ordered",   "",                 "~leaving",      "",                           "rule: the newest wish counts",         "it is wanted on neither host"),
    Row("sharing covering draining",       "this_disable_asked this_disable_ordered",   "",                 "~releasing",    "disable this",               "rule: the newest wish counts",         "the other host keeps it after all"),
    Row("enabling",                        "other_enable_asked other_enable_ordered",   "",                 "~moving",       "enable other; disable this", "rule: the newest wish counts",         "it is wanted on the other host now"),
    Row("moving",                          "other_enable_asked other_enable_ordered",   "",                 "~moving",       "enable other; disable this", "rule: the newest wish counts",         "it is wanted on the other host now"),
    Row("clearing",                        "other_enable_asked other_enable_ordered",   "",                 "~enabling",     "enable other",               "rule: the newest wish counts",         "it is wanted on the other host again"),
    Row("sharing covering draining",       "other_enable_asked other_enable_ordered",   "",                 "~releasing",    "disable this",               "rule: the newest wish counts",         "the other host keeps it after all"),
    Row("releasing",                       "other_enable_asked other_enable_ordered",   "together",         "~sharing",      "enable other",               "rule: the newest wish counts",         "it is wanted on the other host now"),
    Row("releasing",                       "other_enable_asked other_enable_ordered",   "disable_first",    "~clearing",     "disable this",               "rule: the newest wish counts",         "it is wanted on the other host now, when it is gone here"),
    Row("releasing",                       "other_enable_asked other_enable_ordered",   "enable_first",     "~sharing",      "enable other",               "rule: the newest wish counts",         "it is wanted on the other host now"),

    # What the hosts report without having been asked.
    Row("out_of_sight",                    "this_held this_enabled",                    "",                 "owed",          "",                           "rule: adopt what is",                  "the first host in sight has it; the other one may have it too"),
    Row("out_of_sight",                    "this_free this_released",                   "",                 "absent",        "",                           "rule: adopt what is",                  "the first host in sight has it not"),
    Row("off",                             "this_held this_enabled",                    "",                 "held",          "announce this",              "rule: adopt what is",                  "it was enabled by another hand, which may not have announced it"),
    Row("absent",                          "this_held this_enabled",                    "",                 "owed",          "announce this",              "rule: adopt what is",                  "it was enabled by another hand, which may not have announced it"),
    Row("clearing",                        "this_held this_enabled",                    "this_serves",      "releasing",     "enable this",                "rule: the newest wish counts",         "it is here before it was asked for: asked for all the same, after a release that may be under way here"),
    Row("clearing",                        "this_held this_enabled",                    "this_serves_not",  "releasing",     "",                           "rule: adopt what is",                  "it is here before it was asked for"),
    Row("sharing",                         "this_enabled",                              "",                 "conflict",      "",                           "rule: adopt what is",                  "both hosts have it, and nobody asked for a release"),
    Row("sharing",                         "this_held",                                 "",                 "conflict",      "announce this",              "rule: announce again",                 "it is here, by another hand or since before: announced"),
    Row("sharing covering",                "other_free other_released",                 "",                 "enabling",      "announce this",              "rule: announce again",                 "it vanished from the other host: announced again here as soon as it has come"),
    Row("held",                            "this_free this_released",                   "this_serves",      "enabling",      "enable this",                "rule: it stays where it belongs",      "it vanished without a command: it is put back"),
    Row("held",                            "this_free this_released",                   "this_serves_not",  "off",           "",                           "rule: never for a backup",             "it vanished, and nothing is primary here: the next one that is primary is given it"),
    Row("owed",                            "this_free this_released",                   "this_serves",      "enabling_owed", "enable this",                "rule: it stays where it belongs",      "it vanished without a command: it is put back"),
    Row("owed",                            "this_free this_released",                   "this_serves_not",  "absent",        "",                           "rule: never for a backup",             "it vanished, and nothing is primary here: the next one that is primary is given it"),
    Row("draining",                        "this_free this_released",                   "this_serves",      "covering",      "enable this",                "rule: it stays where it belongs",      "it vanished without a command: it is put back"),
    Row("draining",                        "this_free this_released",                   "this_serves_not",  "~held",         "announce other",             "rule: never for a backup",             "it vanished, and nothing is primary here: the other host keeps it"),
    Row("releasing",                       "this_free this_released",                   "this_serves",      "moving",        "enable this",                "rule: it stays where it belongs",      "it vanished without a command: it is put back"),
    Row("releasing",                       "this_free this_released",                   "this_serves_not",  "~leaving",      "",                           "rule: never for a backup",             "it vanished, and nothing is primary here: the next one that is primary is given it"),
    Row("leaving leaving_owed",            "other_held other_enabled",                  "",                 "~releasing",    "",                           "rule: adopt what is",                  "the other host has it: it keeps it"),
    Row("leaving_owed",                    "this_free this_released",                   "",                 "absent",        "",                           "rule: the newest wish counts",         "it is gone"),

    # Scripts that fail, and are run again.
    Row("enabling enabling_owed moving sharing covering", "this_enable_failed",         "",                 "=",             "start_retry",                "rule: a command fails",                "it cannot be enabled: tried again after a while"),
    Row("enabling enabling_owed sharing covering", "retry",                             "this_serves",      "=",             "enable this",                "rule: a command fails",                "enabling it is tried again"),
    Row("enabling",                        "retry",                                     "this_serves_not",  "off",           "",                           "rule: never for a backup",             "nothing is primary here any more: the next one that is primary is given it"),
    Row("enabling_owed",                   "retry",                                     "this_serves_not",  "absent",        "",                           "rule: never for a backup",             "nothing is primary here any more: the next one that is primary is given it"),
    Row("sharing covering",                "retry",                                     "this_serves_not",  "~held",         "announce other",             "rule: never for a backup",             "nothing is primary here any more: the other host keeps it"),
    Row("moving",                          "other_disable_failed",                      "",                 "=",             "start_retry",                "rule: a command fails",                "it cannot be disabled there: tried again after a while"),
    Row("moving",                          "retry",                                     "this_serves",      "=",             "enable this; disable other", "rule: a command fails",                "what is not done yet is tried again"),
    Row("moving",                          "retry",                                     "this_serves_not",  "~leaving",      "disable other",              "rule: never for a backup",             "nothing is primary here any more: the next one that is primary is given it"),
    Row("clearing",                        "other_disable_failed",                      "this_serves",      "moving",        "enable this; start_retry",   "rule: service before purity",          "it cannot be disabled there: it is enabled here all the same, and the release tried again"),
    Row("clearing",                        "other_disable_failed",                      "this_serves_not",  "~leaving",      "start_retry",                "rule: never for a backup",             "nothing is primary here any more: the next one that is primary is given it"),
    Row("releasing",                       "other_disable_failed",                      "",                 "=",             "announce this; start_retry", "rule: a command fails",                "it cannot be disabled there: announced again, and the release tried again after a while"),
    Row("releasing",                       "retry",                                     "",                 "=",             "disable other",              "rule: a command fails",                "the release is tried again"),
    Row("leaving leaving_owed",            "this_disable_failed",                       "",                 "=",             "start_retry",                "rule: a command fails",                "it cannot be disabled: tried again after a while"),
    Row("leaving leaving_owed",            "retry",                                     "",                 "=",             "disable this",               "rule: a command fails",                "the release is tried again"),

    Row("* off",                           "this_script_unclear",                       "",                 "=",             "look this",                  "rule: what is not known is looked at", "no answer in time, or none that can be read: the interface is looked at"),
    Row("held enabling moving clearing sharing covering draining conflict releasing leaving", "other_script_unclear", "", "=", "look other",               "rule: what is not known is looked at", "no answer in time, or none that can be read: the interface is looked at"),
    Row("* off",                           "this_look_failed",                          "",                 "=",             "start_look this",            "rule: what is not known is looked at", "it could not be looked at: after a while it is looked at again"),
    Row("held enabling moving clearing sharing covering draining conflict releasing leaving", "other_look_failed", "", "=",  "start_look other",           "rule: what is not known is looked at", "it could not be looked at: after a while it is looked at again"),
    Row("* off",                           "this_look_due",                             "",                 "=",             "look this",                  "rule: what is not known is looked at", "looked at again"),
    Row("held enabling moving clearing sharing covering draining conflict releasing leaving", "other_look_due", "", "=",     "look other",                 "rule: what is not known is looked at", "looked at again"),
    Row("enabling enabling_owed moving sharing covering", "this_looked",                "",                 "=",             "start_retry",                "rule: a command fails",                "it was looked at and is not here yet: tried again after a while"),
    Row("leaving leaving_owed",            "this_looked",                               "",                 "=",             "start_retry",                "rule: a command fails",                "it was looked at and is here still: tried again after a while"),
    Row("moving",                          "other_looked",                              "",                 "=",             "start_retry",                "rule: a command fails",                "it was looked at and is there still: tried again after a while"),
    Row("clearing",                        "other_looked",                              "this_serves",      "moving",        "enable this; start_retry",   "rule: service before purity",          "it was looked at and is there still: it is enabled here all the same, and the release tried again"),
    Row("clearing",                        "other_looked",                              "this_serves_not",  "~leaving",      "start_retry",                "rule: never for a backup",             "nothing is primary here any more: the next one that is primary is given it"),
    Row("releasing",                       "other_looked",                              "",                 "=",             "announce this; start_retry", "rule: a command fails",                "it was looked at and is there still: announced again, and the release tried again after a while"),
    Row("held owed",                       "this_enable_failed",                        "",                 "=",             "announce this",              "rule: announce again",                 "the script failed and it is here all the same: announced, because the script may not have done it"),
    Row("held owed",                       "this_announce_failed",                      "",                 "=",             "start_announce",             "rule: a command fails",                "it could not be announced: tried again after a while"),
    Row("held owed",                       "announce_again",                            "",                 "=",             "announce this",              "rule: a command fails",                "announced again"),

    # Policy `literal`: every reaction launches its script, as an SCS does.
    Row("held owed conflict releasing draining", "this_enable_ordered",                 "",                 "=",             "enable this",                "[S1] resource manager, key notes",     "the script is launched although it has it"),
    Row("enabling enabling_owed moving clearing sharing covering", "this_enable_ordered", "",               "=",             "enable this",                "[S1] resource manager, key notes",     "the script is launched although it is being enabled there"),
    Row("held enabling leaving",           "other_disable_ordered",                     "",                 "=",             "disable other",              "[S1] resource manager, key notes",     "the script is launched although it has it not"),
    Row("moving clearing releasing draining", "other_disable_ordered",                  "",                 "=",             "disable other",              "[S1] resource manager, key notes",     "the script is launched although it is being released there"),
    Row("leaving leaving_owed absent off", "this_disable_ordered",                      "",                 "=",             "disable this",               "[S1] resource manager, key notes",     "the script is launched although it has it not, or is being released there"),

    # What is as it is wanted, is under way, or cannot be done now.
    Ignored("held owed conflict releasing draining",                        "this_held this_enabled",   "it is known to have it"),
    Ignored("absent enabling enabling_owed moving clearing sharing covering", "this_free this_released", "it is known not to have it yet"),
    Ignored("leaving leaving_owed",                                         "this_held this_enabled",   "it is being taken away"),
    Ignored("off",                                                          "this_free this_released",   "it is known not to have it"),
    Ignored("moving clearing sharing covering conflict releasing draining", "other_held other_enabled",  "it is known to have it"),
    Ignored("held",                                                         "other_free",  "it is known not to have it"),
    Ignored("enabling leaving",                                             "other_free other_released",  "it is known not to have it"),
    Ignored("owed enabling_owed leaving_owed absent",                       "other_unreachable", "its host is known to be lost"),
    Ignored("held owed conflict releasing draining",                        "this_enable_asked", "it has it: the script is not run again"),
    Ignored("enabling enabling_owed moving clearing sharing covering",      "this_enable_asked", "it is being enabled there: the script is not run again"),
    Ignored("held enabling leaving",                                        "other_disable_asked", "it has it not: the script is not run"),
    Ignored("moving clearing covering releasing draining",                  "other_disable_asked", "it is being released there: the script is not run again"),
    Ignored("covering",                                                     "other_disable_ordered", "it is released there as soon as it is here"),
    Ignored("owed enabling_owed leaving_owed absent",                       "other_disable_asked other_disable_ordered", "its host is lost: the script cannot run there, and the release is owed"),
    Ignored("owed enabling_owed leaving_owed absent",                       "other_enable_asked other_enable_ordered", "its host is lost: the script cannot run there"),
    Ignored("leaving leaving_owed",                                         "this_disable_asked", "it is being released there: the script is not run again"),
    Ignored("absent off",                                                   "this_disable_asked", "it has it not: the script is not run"),
    Ignored("conflict releasing draining clearing leaving leaving_owed absent", "this_enable_failed", "the command was given before things changed"),
    Ignored("*",                                                            "other_enable_failed", "the command was given before things changed: it is not wanted there now"),
    Ignored("held owed enabling enabling_owed moving clearing sharing covering draining conflict releasing absent", "this_disable_failed", "the command was given before things changed: it is wanted here now"),
    Ignored("held owed enabling enabling_owed sharing covering draining conflict leaving leaving_owed absent", "other_disable_failed", "the command was given before things changed"),
    Ignored("off out_of_sight",                                             "this_enable_failed this_disable_failed", "the command was given before things changed"),
    Ignored("out_of_sight",                                                 "this_enable_asked this_enable_ordered this_disable_asked this_disable_ordered", "neither host is heard"),
    Ignored("out_of_sight",                                                 "this_unreachable blinded", "neither host is heard"),
    Ignored("enabling enabling_owed moving clearing sharing covering draining conflict releasing leaving leaving_owed absent", "this_announce_failed", "it moves: whoever gets it announces it"),
    Ignored("*",                                                            "other_announce_failed", "the command was given before things changed: it is not wanted there now"),
    Ignored("off out_of_sight",                                             "this_announce_failed", "the command was given before things changed"),
    Ignored("enabling enabling_owed moving clearing sharing covering draining conflict releasing leaving leaving_owed absent off out_of_sight", "announce_again", "what was to be announced has been overtaken"),
    Ignored("held owed clearing conflict draining releasing absent off",    "this_looked", "it was looked at, and what was seen has been taken in"),
    Ignored("held owed enabling enabling_owed sharing covering draining conflict leaving leaving_owed absent", "other_looked", "it was looked at, and what was seen has been taken in"),
    Ignored("owed enabling_owed leaving_owed absent", "other_script_unclear other_look_failed other_look_due", "its host is not in sight: what is there, it reports when it connects"),
    Ignored("out_of_sight",                                                 "this_script_unclear this_look_failed this_look_due this_looked", "neither host is heard"),
    Ignored("held owed clearing conflict draining absent off out_of_sight", "retry", "what was to be tried again has been overtaken"),
    Ignored("held owed enabling enabling_owed moving clearing sharing covering conflict releasing leaving leaving_owed absent off out_of_sight", "drained", "what was waited for has been overtaken"),
    Impossible("absent owed enabling_owed leaving_owed",                    "this_unreachable", "it is the only host in sight: when it is lost, the agent is blind"),
)
# fmt: on

VIP = Table(
    name="Virtual IP",
    states="held* owed* enabling* enabling_owed* moving* clearing* sharing* covering* draining* conflict* releasing*"
    " leaving* leaving_owed* absent* off out_of_sight",
    initial="out_of_sight",
    triggers="this_held this_enabled this_free this_released this_unreachable this_enable_asked this_disable_asked this_enable_ordered"
    " this_disable_ordered this_enable_failed this_disable_failed this_announce_failed"
    " this_script_unclear this_looked this_look_failed this_look_due retry announce_again drained blinded",
    guards=(
        "together disable_first enable_first",
        "other_is_demoted this_is_demoted other_is_primary other_is_nothing",
        "this_serves this_serves_not",
    ),
    outputs="enable disable announce look start_look start_retry start_announce start_drain",
    rows=ROWS,
)
