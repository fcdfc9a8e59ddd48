"""The component pair: who of two redundant applications is primary, and how that changes.

A state names the side that is, or is to become, primary (*this*), and what is known of both:

    state                    this                        other
    redundant                primary                     backup                      as it should be
    no_redundancy            primary                     down
    peer_lost                primary                     its host is lost
    split_brain              primary                     primary, being demoted
    demoting                 backup, is to follow        primary, being demoted      a manual switchover
    promoting                backup, being promoted      backup, was primary         ... its second half
    both_backup                 backup, being promoted      backup
    taking_over              backup, being promoted      down
    taking_over_lost         backup, being promoted      its host is lost
    cut_off                  down                        its host is lost
    first_seen_primary       primary                     not heard of yet
    first_seen_backup        backup                      not heard of yet
    first_seen_down          down                        not heard of yet
    out_of_service           both down
    out_of_sight             neither host is heard

1. The side that is wanted as primary is a decision; what a host reports is a fact. The state advances when the fact
   is reported, never because a command was sent.
2. An application that is reported to be what it is wanted to be changes nothing and runs nothing.
3. Nothing is promoted on the strength of one host's report while the other one may be about to report as well: the
   `first_seen` states wait for it, or for the timer, or until it is lost.
4. A message from outside that an application changed to primary mode is made so, as if an operator had asked for it,
   unless its host is known to be worse: then it is looked at. One that contradicts what is known is ignored.
5. A promotion that fails is tried again after a while; one that fails during a manual switchover puts the old primary
   back. A demotion that fails during a manual switchover gives it up: nothing has moved yet.
6. A command that is not answered in time, or whose answer cannot be read, may have been carried out all the same: the
   application is looked at before anything is concluded, and again after a while if even that cannot be done.
7. What an operator or a reaction asks for is not done if the other host is known to be worse; what a component's failure
   asks for is done only if the other host is better (`facts.better_side`).

Weakness, admitted: the loser of a split brain is asked to go into backup mode, it is not forced (there is no fencing).
If it cannot, it loses at least the Virtual IP.
"""

from ..table import Ignored, Impossible, Row, Table

HAS_PRIMARY = ("redundant", "no_redundancy", "peer_lost")
"""The states in which *this* is primary, and nothing is under way."""

AT_REST = (*HAS_PRIMARY, "cut_off", "out_of_service", "out_of_sight")
"""The states in which nothing is under way."""

# fmt: off
ROWS = (
    #   source                                trigger                      guard                 destination           outputs                                 cite                                    reason
    # As it should be, and what ends it.
    Row("redundant",                          "this_down",                 "",                   "~taking_over",       "promote other",                        "[S2] failure, steps 2-3",              "the primary failed: its backup takes over"),
    Row("redundant",                          "this_unreachable",          "",                   "~taking_over_lost",  "promote other",                        "[S2] disconnected, steps 1-2",         "the primary's host is lost: the backup takes over"),
    Row("redundant",                          "other_requested",           "other_is_no_worse",  "~demoting",          "demote this",                          "[S2] manual, steps 1-2",               "an operator or a reaction asks for it: first the primary goes into backup mode"),
    Row("redundant",                          "other_requested",           "other_is_worse",     "=",                  "",                                     "rule: not to a worse side",            "the other host can serve less of the solution: never switch to a side that is known to be worse"),
    Row("redundant",                          "other_needed",              "other_is_better",    "~demoting",          "demote this",                          "[S1] Resource Manager-1 fails",        "a component failed here, and the other host is better: first the primary goes into backup mode"),
    Row("redundant",                          "other_needed",              "other_is_no_better", "=",                  "",                                     "rule: not to a worse side",            "a component failed here, and the other host is no better: nothing is gained by switching"),
    Row("redundant",                          "other_down",                "",                   "no_redundancy",      "",                                     "[S1] backup host failure",             "the backup failed: the primary keeps running, with no redundancy"),
    Row("redundant",                          "other_unreachable",         "",                   "peer_lost",          "",                                     "[S1] backup host failure",             "the backup's host is lost: the primary keeps running, with no redundancy"),
    Row("redundant",                          "other_primary",             "",                   "split_brain",        "demote other",                         "rule: split brain",                    "the backup was made primary by another hand: it goes back"),
    Row("redundant",                          "this_backup",               "",                   "both_backup",           "promote this",                         "rule: both are backup",                       "the primary was made backup by another hand: it is promoted again"),

    # Without redundancy.
    Row("no_redundancy",                      "other_backup",              "",                   "redundant",          "",                                     "[S1] backup host failure",             "the failed application is up again: redundancy is restored"),
    Row("no_redundancy",                      "other_primary",             "",                   "split_brain",        "demote other",                         "rule: split brain",                    "the failed application came up as primary: it goes into backup mode"),
    Row("no_redundancy",                      "other_unreachable",         "",                   "peer_lost",          "",                                     "[S1] backup host failure",             "the failed application's host is lost as well"),
    Row("no_redundancy",                      "this_down",                 "",                   "out_of_service",     "",                                     "rule: nothing is left",                "both applications have failed"),
    Row("no_redundancy",                      "this_unreachable",          "",                   "~cut_off",           "",                                     "rule: nothing is left",                "the primary's host is lost and the other application is down"),
    Row("no_redundancy",                      "this_backup",               "",                   "taking_over",        "promote this",                         "rule: both are backup",                       "the only application was made backup: it is promoted again"),

    # Reconnection and split-brain recovery.
    Row("peer_lost",                          "other_primary",             "",                   "split_brain",        "demote other",                         "[S2] reconnection, steps 2-3",         "both are primary: the one whose connection was just restored goes into backup mode"),
    Row("peer_lost",                          "other_backup",              "",                   "redundant",          "",                                     "rule: a host returns",                 "the lost host returned with its application in backup mode"),
    Row("peer_lost",                          "other_down",                "",                   "no_redundancy",      "",                                     "rule: a host returns",                 "the lost host returned with its application down"),
    Row("peer_lost",                          "this_down",                 "",                   "cut_off",            "",                                     "rule: nothing is left",                "the primary failed while the other host is lost"),
    Row("peer_lost",                          "this_backup",               "",                   "taking_over_lost",   "promote this",                         "rule: both are backup",                       "the only application in sight was made backup: it is promoted again"),
    Row("split_brain",                        "other_backup",              "",                   "redundant",          "log_backup other",                     "[S2] reconnection, step 4",            "the split brain is healed"),
    Row("split_brain",                        "other_down",                "",                   "no_redundancy",      "release_vip other",                    "rule: split brain",                    "the one to be demoted failed: its host must still release the VIP"),
    Row("split_brain",                        "other_unreachable",         "",                   "peer_lost",          "",                                     "rule: split brain",                    "the one to be demoted is lost again"),
    Row("split_brain",                        "other_demotion_failed",     "",                   "split_brain",        "release_vip other; start_retry",       "rule: a command fails",                "it cannot be demoted: it loses at least the VIP, and is asked again"),
    Row("split_brain",                        "other_demotion_timed_out",  "",                   "split_brain",        "release_vip other; look other",        "rule: what is not known is looked at", "no answer in time: it loses at least the VIP, and is looked at"),
    Row("split_brain",                        "other_demotion_unclear",    "",                   "split_brain",        "release_vip other; look other",        "rule: what is not known is looked at", "the answer cannot be read: it loses at least the VIP, and is looked at"),
    Row("split_brain",                        "other_looked",              "",                   "split_brain",        "start_retry",                          "rule: a command fails",                "it was looked at and is primary still: asked again after a while"),
    Row("split_brain",                        "retry",                     "",                   "split_brain",        "demote other",                         "rule: a command fails",                "asked again to go into backup mode"),
    Row("split_brain",                        "this_down",                 "",                   "~no_redundancy",     "restate_primary other; promote other", "rule: split brain",                    "the winner failed: the other one is primary still, or is made primary again"),
    Row("split_brain",                        "this_unreachable",          "",                   "~peer_lost",         "restate_primary other; promote other", "rule: split brain",                    "the winner's host is lost: the other one is primary still, or is made primary again"),
    Row("split_brain",                        "this_backup",               "",                   "demoting",           "demote other",                         "rule: split brain",                    "the winner was made backup: it is promoted when the other one has gone into backup mode"),

    # A manual switchover under way.
    Row("demoting",                           "other_backup",              "",                   "promoting",          "promote this",                         "[S2] manual, step 3",                  "the old primary is in backup mode: now the other one becomes primary"),
    Row("demoting",                           "other_down",                "",                   "taking_over",        "promote this",                         "rule: a primary fails",                "the old primary failed while it was being demoted"),
    Row("demoting",                           "other_unreachable",         "",                   "taking_over_lost",   "promote this",                         "rule: a primary fails",                "the old primary's host was lost while it was being demoted"),
    Row("demoting",                           "other_demotion_failed",     "",                   "~redundant",         "restate_primary other",                "rule: a command fails",                "the old primary cannot be demoted: the switchover is given up, and it stays primary"),
    Row("demoting",                           "other_looked",              "",                   "~redundant",         "restate_primary other",                "rule: a command fails",                "it was looked at and is primary still: the switchover is given up"),
    Row("demoting",                           "this_down",                 "",                   "~no_redundancy",     "restate_primary other; promote other", "rule: not to a worse side",            "the new primary failed before its turn: the old one stays, or is made primary again"),
    Row("demoting",                           "this_unreachable",          "",                   "~peer_lost",         "restate_primary other; promote other", "rule: not to a worse side",            "the new primary's host was lost before its turn: the old one stays, or is made primary again"),
    Row("demoting",                           "this_primary",              "",                   "split_brain",        "log_primary this",                     "rule: split brain",                    "it is primary already, while the old one is still being demoted"),
    Row("promoting",                          "this_primary",              "",                   "redundant",          "log_primary this; log_backup other",   "[S2] manual, step 4",                  "the switchover is done"),
    Row("promoting",                          "this_promotion_failed",     "",                   "~both_backup",          "promote other",                        "rule: a command fails",                "the new primary cannot be promoted: the old one is put back"),
    Row("promoting",                          "this_looked",               "",                   "~both_backup",          "promote other",                        "rule: a command fails",                "it was looked at and is not primary: the old one is put back"),
    Row("both_backup",                           "this_looked",               "",                   "~both_backup",          "start_retry",                          "rule: a command fails",                "it was looked at and is not primary: after a while the other one is tried"),
    Row("taking_over taking_over_lost",       "this_looked",               "",                   "=",                  "start_retry",                          "rule: a command fails",                "it was looked at and is not primary: tried again after a while"),
    Row("promoting both_backup",                 "this_down",                 "",                   "~taking_over",       "promote other",                        "rule: a primary fails",                "the one being promoted failed: the other one takes over"),
    Row("promoting both_backup",                 "this_unreachable",          "",                   "~taking_over_lost",  "promote other",                        "rule: a primary fails",                "the host of the one being promoted is lost: the other one takes over"),
    Row("promoting both_backup",                 "other_down",                "",                   "taking_over",        "",                                     "rule: a promotion goes through",       "the other one failed: the promotion under way goes through"),
    Row("promoting both_backup",                 "other_unreachable",         "",                   "taking_over_lost",   "",                                     "rule: a promotion goes through",       "the other one's host is lost: the promotion under way goes through"),
    Row("promoting",                          "other_primary",             "",                   "demoting",           "demote other",                         "rule: a promotion goes through",       "the old primary was promoted by another hand: it is demoted again"),

    # Taking over, and curing a pair in which both are backup.
    Row("both_backup",                           "this_primary",              "",                   "redundant",          "log_primary this",                     "rule: both are backup",                       "one of two backups is primary now"),
    Row("both_backup",                           "other_primary",             "",                   "~redundant",         "log_primary other",                    "rule: both are backup",                       "the other one of two backups is primary now"),
    Row("both_backup",                           "this_promotion_failed",     "",                   "~both_backup",          "start_retry",                          "rule: a command fails",                "it cannot be promoted: after a while the other one is tried"),
    Row("taking_over",                        "this_primary",              "",                   "no_redundancy",      "log_primary this",                     "[S2] failure, step 4",                 "the backup has become primary"),
    Row("taking_over",                        "this_down",                 "",                   "out_of_service",     "",                                     "rule: nothing is left",                "both applications have failed"),
    Row("taking_over",                        "this_unreachable",          "",                   "~cut_off",           "",                                     "rule: nothing is left",                "the host of the one taking over is lost, and the other one is down"),
    Row("taking_over",                        "other_backup",              "",                   "both_backup",           "",                                     "rule: a promotion goes through",       "the failed application is up again, as backup: the takeover goes through"),
    Row("taking_over",                        "other_unreachable",         "",                   "taking_over_lost",   "",                                     "rule: a promotion goes through",       "the failed application's host is lost as well: the takeover goes through"),
    Row("taking_over_lost",                   "this_primary",              "",                   "peer_lost",          "log_primary this",                     "[S2] disconnected, step 3",            "the backup has become primary"),
    Row("taking_over_lost",                   "this_down",                 "",                   "cut_off",            "",                                     "rule: nothing is left",                "the one taking over failed, and the other host is lost"),
    Row("taking_over_lost",                   "other_backup",              "",                   "both_backup",           "",                                     "rule: a promotion goes through",       "the lost host returned with a backup: the takeover goes through"),
    Row("taking_over_lost",                   "other_down",                "",                   "taking_over",        "",                                     "rule: a promotion goes through",       "the lost host returned with its application down: the takeover goes through"),
    Row("taking_over taking_over_lost",       "other_primary",             "promotion_runs",     "demoting",           "demote other",                         "rule: a promotion goes through",       "the old primary is back while its successor is being promoted: it goes into backup mode"),
    Row("taking_over taking_over_lost",       "other_primary",             "promotion_overtaken", "~redundant",        "restate_primary other; demote this",   "rule: not to a worse side",            "the old primary is back, and its host is the better one: it stays primary, and its successor goes back"),
    Row("taking_over taking_over_lost",       "other_primary",             "promotion_failed",   "~redundant",         "restate_primary other",                "rule: not to a worse side",            "the old primary is back and its successor could not be promoted: it stays primary"),
    Row("taking_over taking_over_lost",       "this_promotion_failed",     "",                   "=",                  "start_retry",                          "rule: a command fails",                "the backup cannot be promoted, and there is no other: it is tried again after a while"),
    Row("both_backup taking_over taking_over_lost", "retry",                  "",                   "=",                  "promote this",                         "rule: a command fails",                "the promotion is tried again"),

    # What became of a command is not known: whatever it was for, the application is looked at.
    Row("redundant",                          "other_demotion_failed",     "",                   "=",                  "look other",                           "rule: what is not known is looked at", "it was to be backup although its promotion had begun: it is looked at"),
    Row("redundant no_redundancy peer_lost split_brain", "this_promotion_failed", "",            "=",                  "look this",                            "rule: what is not known is looked at", "it was to be primary again, after something else was tried: it is looked at"),
    Row("* out_of_service",                   "this_promotion_timed_out this_demotion_timed_out", "", "=",             "look this",                            "rule: what is not known is looked at", "no answer in time: the command may have been carried out all the same"),
    Row("* out_of_service",                   "this_promotion_unclear this_demotion_unclear", "", "=",                 "look this",                            "rule: what is not known is looked at", "the answer cannot be read: the command may have been carried out"),
    Row("*",                                  "other_promotion_timed_out", "",                   "=",                  "look other",                           "rule: what is not known is looked at", "no answer in time: the command may have been carried out all the same"),
    Row("*",                                  "other_promotion_unclear",   "",                   "=",                  "look other",                           "rule: what is not known is looked at", "the answer cannot be read: the command may have been carried out"),
    Row("redundant no_redundancy peer_lost demoting promoting both_backup taking_over taking_over_lost cut_off first_seen_primary first_seen_backup first_seen_down", "other_demotion_timed_out", "", "=", "look other", "rule: what is not known is looked at", "no answer in time: the command may have been carried out all the same"),
    Row("redundant no_redundancy peer_lost demoting promoting both_backup taking_over taking_over_lost cut_off first_seen_primary first_seen_backup first_seen_down", "other_demotion_unclear", "", "=", "look other", "rule: what is not known is looked at", "the answer cannot be read: the command may have been carried out"),
    Row("* out_of_service",                   "this_look_failed",          "",                   "=",                  "start_look this",                      "rule: what is not known is looked at", "it could not be looked at: after a while it is looked at again"),
    Row("redundant no_redundancy split_brain demoting promoting both_backup taking_over", "other_look_failed", "", "=",   "start_look other",                     "rule: what is not known is looked at", "it could not be looked at: after a while it is looked at again"),
    Row("* out_of_service",                   "this_look_due",             "",                   "=",                  "look this",                            "rule: what is not known is looked at", "looked at again"),
    Row("redundant no_redundancy split_brain demoting promoting both_backup taking_over", "other_look_due", "", "=",      "look other",                           "rule: what is not known is looked at", "looked at again"),

    # Nothing in service.
    Row("out_of_service",                     "this_backup",               "",                   "taking_over",        "promote this",                         "rule: both are backup",                       "an application is up again: it becomes primary"),
    Row("out_of_service",                     "this_primary",              "",                   "no_redundancy",      "restate_primary this",                 "rule: adopt what is",                  "an application is up again, as primary"),
    Row("out_of_service",                     "this_unreachable",          "",                   "~cut_off",           "",                                     "rule: nothing is left",                "a host is lost, and the other one's application is down"),
    Row("cut_off",                            "this_backup",               "",                   "taking_over_lost",   "promote this",                         "rule: both are backup",                       "the only application in sight is up again: it becomes primary"),
    Row("cut_off",                            "this_primary",              "",                   "peer_lost",          "restate_primary this",                 "rule: adopt what is",                  "the only application in sight is up again, as primary"),
    Row("cut_off first_seen_down",            "other_backup",              "",                   "~taking_over",       "promote other",                        "rule: both are backup",                       "the other host reports a backup: it becomes primary"),
    Row("cut_off first_seen_down",            "other_primary",             "",                   "~no_redundancy",     "restate_primary other",                "rule: adopt what is",                  "the other host reports a primary: it is adopted"),
    Row("cut_off first_seen_down",            "other_down",                "",                   "out_of_service",     "",                                     "rule: nothing is left",                "both applications are down"),

    # After a restart of the agent, or when it was blind: what the hosts report is adopted, and waited for.
    Row("out_of_sight",                       "this_primary",              "",                   "first_seen_primary", "start_settle",                         "rule: adopt what is",                  "the first host in sight reports a primary"),
    Row("out_of_sight",                       "this_backup",               "",                   "first_seen_backup",  "start_settle",                         "rule: adopt what is",                  "the first host in sight reports a backup: the other host may have the primary"),
    Row("out_of_sight",                       "this_down",                 "",                   "first_seen_down",    "start_settle",                         "rule: adopt what is",                  "the first host in sight reports its application down"),
    Row("first_seen_backup first_seen_down",  "this_primary",              "",                   "first_seen_primary", "",                                     "rule: adopt what is",                  "it is primary now"),
    Row("first_seen_primary first_seen_down", "this_backup",               "",                   "first_seen_backup",  "",                                     "rule: adopt what is",                  "it is backup now"),
    Row("first_seen_primary first_seen_backup", "this_down",               "",                   "first_seen_down",    "",                                     "rule: adopt what is",                  "it is down now"),
    Row("first_seen_primary",                 "other_primary",             "this_outranks",      "split_brain",        "restate_primary this; demote other",   "rule: tie-break",                      "both are primary: the VIP's holder stays, else the one that is primary for longer"),
    Row("first_seen_primary",                 "other_primary",             "other_outranks",     "~split_brain",       "restate_primary other; demote this",   "rule: tie-break",                      "both are primary: the VIP's holder stays, else the one that is primary for longer"),
    Row("first_seen_primary",                 "other_backup",              "",                   "redundant",          "restate_primary this",                 "rule: adopt what is",                  "one primary, one backup: adopted"),
    Row("first_seen_primary",                 "other_down",                "",                   "no_redundancy",      "restate_primary this",                 "rule: adopt what is",                  "one primary, the other one is down: adopted"),
    Row("first_seen_primary",                 "other_unreachable settled", "",                   "peer_lost",          "restate_primary this",                 "rule: adopt what is",                  "one primary, and the other host is not there"),
    Row("first_seen_backup",                  "other_primary",             "",                   "~redundant",         "restate_primary other",                "rule: adopt what is",                  "one primary, one backup: adopted"),
    Row("first_seen_backup",                  "other_backup",              "this_outranks",      "both_backup",           "promote this",                         "rule: tie-break",                      "both are backup: the VIP's holder is promoted, else the first host's"),
    Row("first_seen_backup",                  "other_backup",              "other_outranks",     "~both_backup",          "promote other",                        "rule: tie-break",                      "both are backup: the VIP's holder is promoted, else the first host's"),
    Row("first_seen_backup",                  "other_down",                "",                   "taking_over",        "promote this",                         "rule: both are backup",                       "one backup, the other one is down: it becomes primary"),
    Row("first_seen_backup",                  "other_unreachable settled", "",                   "taking_over_lost",   "promote this",                         "rule: both are backup",                       "one backup, and the other host is not there: it becomes primary"),
    Row("first_seen_down",                    "other_unreachable settled", "",                   "cut_off",            "",                                     "rule: nothing is left",                "one application is down, and the other host is not there"),
    Row("* out_of_service",                   "blinded",                   "",                   "out_of_sight",       "",                                     "rule: both silent",                    "no host is heard: nothing is commanded until one is"),

    # Messages from outside: taken where they agree with what the hosts report, and safe to come twice.
    Row("redundant no_redundancy peer_lost",  "this_logged_primary",       "",                   "=",                  "repeat this",                          "rule: a message from outside",         "the message agrees with the host's report: its alarm is activated"),
    Row("redundant",                          "other_logged_primary",      "other_is_no_worse",  "~demoting",          "demote this",                          "rule: a message from outside",         "the message says that the other one changed to primary mode: that is made so"),
    Row("redundant",                          "other_logged_primary",      "other_is_worse",     "=",                  "look other",                           "rule: not to a worse side",            "the message says that the other one, on a host that has less, changed to primary mode: it is looked at"),
    Row("redundant",                          "other_logged_backup",       "",                   "redundant",          "repeat other",                         "rule: a message from outside",         "the message agrees with the host's report: its alarm is activated"),

    # What is as it is wanted, or can change nothing.
    Ignored("redundant no_redundancy peer_lost split_brain first_seen_primary", "this_primary", "it is known to be primary"),
    Ignored("demoting promoting both_backup taking_over taking_over_lost first_seen_backup", "this_backup", "it is known to be backup"),
    Ignored("cut_off first_seen_down out_of_service", "this_down", "it is known to be down"),
    Ignored("redundant promoting both_backup",           "other_backup", "it is known to be backup"),
    Ignored("demoting split_brain",                   "other_primary", "it is known to be primary, and is being demoted"),
    Ignored("no_redundancy taking_over",              "other_down", "it is known to be down"),
    Ignored("peer_lost taking_over_lost cut_off",     "other_unreachable", "its host is known to be lost"),
    Ignored("out_of_sight",                           "this_unreachable", "neither host is heard"),
    Ignored("out_of_sight",                           "blinded", "neither host is heard"),
    Ignored("redundant no_redundancy peer_lost split_brain first_seen_primary", "this_requested this_needed", "it is primary already"),
    Ignored("demoting promoting both_backup taking_over taking_over_lost",         "this_requested this_needed", "it is being made primary already"),
    Ignored("first_seen_backup first_seen_down cut_off",                        "this_requested this_needed", "not before the other host is heard or given up, and its application is up"),
    Ignored("no_redundancy taking_over",              "other_requested other_needed", "that application is down: never switch to a side that is known to be worse"),
    Ignored("peer_lost taking_over_lost cut_off",     "other_requested other_needed", "that application's host is lost: never switch to a side that is known to be worse"),
    Ignored("split_brain demoting promoting both_backup", "other_requested other_needed", "a switchover is under way: ask again when it is done"),
    Ignored("first_seen_primary first_seen_backup first_seen_down", "other_requested other_needed", "that application's host is not heard yet"),
    Ignored("out_of_service",                         "this_requested this_needed", "both applications are down"),
    Ignored("out_of_sight",                           "this_requested this_needed", "neither host is heard"),
    Ignored("split_brain demoting promoting both_backup taking_over taking_over_lost cut_off first_seen_primary first_seen_backup first_seen_down out_of_service out_of_sight",
            "this_logged_primary this_logged_backup", "only while nothing is under way is a message from outside taken"),
    Ignored("split_brain demoting promoting both_backup taking_over taking_over_lost cut_off first_seen_primary first_seen_backup first_seen_down",
            "other_logged_primary other_logged_backup", "only while nothing is under way is a message from outside taken"),
    Ignored("redundant no_redundancy peer_lost",      "this_logged_backup", "the message contradicts the host's report, which counts"),
    Ignored("no_redundancy peer_lost",                "other_logged_primary", "the message contradicts what is known: that application is down or its host is lost"),
    Ignored("no_redundancy peer_lost",                "other_logged_backup", "the message contradicts what is known: that application is down or its host is lost"),
    Ignored("demoting cut_off first_seen_primary first_seen_backup first_seen_down", "this_promotion_failed", "the command was given before things changed: nobody is being promoted now"),
    Ignored("*",                                "other_promotion_failed", "the command was given before things changed: it is not wanted as primary now"),
    Ignored("*",                                "this_demotion_failed", "the command was given before things changed: it is wanted as primary now"),
    Ignored("no_redundancy peer_lost promoting both_backup taking_over taking_over_lost cut_off first_seen_primary first_seen_backup first_seen_down", "other_demotion_failed", "the command was given before things changed: it is no primary now"),
    Ignored("redundant no_redundancy peer_lost split_brain demoting cut_off first_seen_primary first_seen_backup first_seen_down out_of_service out_of_sight", "this_looked", "it was looked at because of a command that was given before things changed"),
    Ignored("redundant no_redundancy peer_lost promoting both_backup taking_over taking_over_lost cut_off first_seen_primary first_seen_backup first_seen_down", "other_looked", "it was looked at because of a command that was given before things changed"),
    Ignored("peer_lost taking_over_lost cut_off first_seen_primary first_seen_backup first_seen_down", "other_look_failed other_look_due", "its host is not in sight: what it is, it reports when it connects"),
    Ignored("out_of_sight",                           "this_look_failed this_look_due this_promotion_timed_out this_promotion_unclear this_demotion_timed_out this_demotion_unclear", "neither host is heard"),
    Ignored("out_of_service out_of_sight",            "this_promotion_failed this_demotion_failed", "the command was given before things changed"),
    Ignored("redundant no_redundancy peer_lost demoting promoting cut_off first_seen_primary first_seen_backup first_seen_down out_of_service out_of_sight", "retry", "what was to be tried again has been overtaken"),
    Ignored("redundant no_redundancy peer_lost split_brain demoting promoting both_backup taking_over taking_over_lost cut_off out_of_service out_of_sight", "settled", "both hosts have been heard, or given up"),
    Impossible("first_seen_primary first_seen_backup first_seen_down peer_lost taking_over_lost cut_off", "this_unreachable", "it is the only host in sight: when it is lost, the agent is blind"),
)
# fmt: on

PAIR = Table(
    name="component pair",
    states="redundant* no_redundancy* peer_lost* split_brain* demoting* promoting* both_backup* taking_over*"
    " taking_over_lost* cut_off* first_seen_primary* first_seen_backup* first_seen_down* out_of_service out_of_sight",
    initial="out_of_sight",
    triggers="this_primary this_backup this_down this_unreachable this_promotion_failed this_promotion_timed_out"
    " this_promotion_unclear this_demotion_failed this_demotion_timed_out this_demotion_unclear this_looked this_look_failed this_look_due"
    " this_requested this_needed this_logged_primary this_logged_backup retry settled blinded",
    guards=(
        "this_outranks other_outranks",
        "promotion_runs promotion_overtaken promotion_failed",
        "other_is_worse other_is_no_worse",
        "other_is_better other_is_no_better",
    ),
    outputs="promote demote look start_look log_primary log_backup restate_primary repeat release_vip start_retry start_settle",
    rows=ROWS,
)
