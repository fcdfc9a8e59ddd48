"""The component pair: which of two redundant applications is primary, and how that changes.

A state names the side that is primary or is to become primary (*this*), and says what is known of both sides:

    state                    this                        other
    redundant                primary                     backup                      as it should be
    no_redundancy            primary                     down
    peer_lost                primary                     its host is lost
    split_brain              primary                     primary, being demoted
    demoting                 backup, promoted next       primary, being demoted      a manual switchover
    promoting                backup, being promoted      backup, was primary         ... its second half
    both_backup              backup, being promoted      backup
    taking_over              backup, being promoted      down
    taking_over_lost         backup, being promoted      its host is lost
    cut_off                  down                        its host is lost
    first_seen_primary       primary                     not heard of yet
    first_seen_backup        backup                      not heard of yet
    first_seen_down          down                        not heard of yet
    out_of_service           both down
    out_of_sight             neither host is heard

The rules, by the names that the rows cite:

1. *Facts count*: which side is to be primary is a decision; what a host reports is a fact. The state changes when the
   fact is reported, not when a command is sent. A report of the mode that is wanted changes nothing and runs nothing.
2. *Adopt what is*: after a restart, or after no host was heard, the hosts' reports are adopted. The first report promotes
   nothing: the `first_seen` states wait until the other host reports, is lost, or `settle_ms` have passed.
3. *Tie-break*: of two primaries or two backups, the one that holds the VIP wins. If neither holds it, the one that has
   been primary for longer wins, or the one on the first host.
4. *Split brain*: of two primaries, the loser goes into backup mode. If it cannot, it loses at least the VIP.
5. *Both are backup*: if there is no primary, the side that is wanted is promoted.
6. *A primary fails*: if an application fails or its host is lost during a switchover, the other one takes over.
7. *Carry on*: events on the other side do not stop a promotion that has begun.
8. *A command fails*: a promotion that fails is tried again later; during a manual switchover, the old primary is
   promoted again instead. A demotion that fails ends a manual switchover: nothing has moved yet.
9. *Look first*: a command without an answer in time, or with an unreadable answer, may have been carried out. The agent
   looks at the application before it decides anything; if that fails too, it looks again later.
10. *Better side*: an operator's or a reaction's request is refused if the other host is known to be worse. If a component
    has failed, the pair moves only to a host that is better (`facts.better_side`).
11. *Message from outside*: a message that an application has become primary counts as a request to make it primary. If
    its host is known to be worse, the application is looked at. A message that contradicts a report is ignored.
12. *A host returns*: the pair adopts the host's report.
13. *Nothing is left*: if neither application runs, the pair waits until one does.
14. *Both silent*: while no host is heard, no command is given.

Known weakness: the loser of a split brain is asked to go into backup mode. Nothing forces it: there is no fencing.
"""

from ..tables.notation import rows
from ..tables.outputs import PairOutput
from ..tables.table import Table
from ..tables.triggers import PairTrigger

STATES = (
    "redundant* no_redundancy* peer_lost* split_brain* demoting* promoting* both_backup* taking_over*"
    " taking_over_lost* cut_off* first_seen_primary* first_seen_backup* first_seen_down* out_of_service out_of_sight"
)

HAS_PRIMARY = ("redundant", "no_redundancy", "peer_lost")
"""The states in which *this* is primary, and nothing is under way."""

AT_REST = (*HAS_PRIMARY, "cut_off", "out_of_service", "out_of_sight")
"""The states in which nothing is under way."""

GROUPS = {
    "HAS_PRIMARY": " ".join(HAS_PRIMARY),
    "TAKING_OVER": "taking_over taking_over_lost",
    "BEING_PROMOTED": "promoting both_backup TAKING_OVER",
    "OTHER_LOST": "peer_lost taking_over_lost cut_off",
    "OTHER_HEARD": "* but OTHER_LOST FIRST_SEEN",
    "FIRST_SEEN": "first_seen_primary first_seen_backup first_seen_down",
    "EVERY_STATE": "* out_of_service out_of_sight",
}
"""Groups of states, named for the condition of *this* side or of the other host."""

MOVES = """
# ---- As it should be, and what ends it.
redundant: an application fails, is lost, or changes its mode by itself
    this_down          -> ~taking_over / promote other       [S2] failure 2-3          the primary failed: its backup takes over
    this_unreachable   -> ~taking_over_lost / promote other  [S2] disconnected 1-2     the primary's host is lost: the backup takes over
    this_backup        -> both_backup / promote this         both are backup           the primary became backup: it is promoted again
    other_down         -> no_redundancy                      [S1] backup host failure  the backup failed: there is no redundancy now
    other_unreachable  -> peer_lost                          [S1] backup host failure  the backup's host is lost: the primary runs alone
    other_primary      -> split_brain / demote other         split brain               the backup became primary by itself: it is demoted

redundant: a switchover is asked for
    other_requested [other_is_no_worse]  -> ~demoting / demote this  [S2] manual 1-2  first the primary goes into backup mode
    other_requested [other_is_worse]     stays                       better side      the other host can serve less: no switch to it
    other_needed [other_is_better]       -> ~demoting / demote this  [S1] RM-1 fails  a component failed: switch to the better host
    other_needed [other_is_no_better]    stays                       better side      a component failed, the other host is no better

no_redundancy: the other application is down
    other_backup       -> redundant                   [S1] backup host failure  the failed application is up: redundancy is restored
    other_primary      -> split_brain / demote other  split brain               the failed application is up as primary: demoted
    other_unreachable  -> peer_lost                   [S1] backup host failure  the failed application's host is lost as well
    this_down          -> out_of_service              nothing is left           both applications have failed
    this_unreachable   -> ~cut_off                    nothing is left           the primary's host is lost, the other is down
    this_backup        -> taking_over / promote this  both are backup           the only application became backup: it is promoted again

peer_lost: the other host is lost, and returns
    other_primary  -> split_brain / demote other       [S2] reconnection 2-3  both are primary: the one that returned is demoted
    other_backup   -> redundant                        a host returns         the lost host returned, its application is backup
    other_down     -> no_redundancy                    a host returns         the lost host returned, its application is down
    this_down      -> cut_off                          nothing is left        the primary failed while the other host is lost
    this_backup    -> taking_over_lost / promote this  both are backup        the only application became backup: it is promoted again

# ---- Split brain: this one is to stay primary, the other one is to go into backup mode.
split_brain: the loser changes
    other_backup       -> redundant / log_backup other       [S2] reconnection 4  the split brain is healed
    other_down         -> no_redundancy / release_vip other  split brain          the loser failed: its host must still release the VIP
    other_unreachable  -> peer_lost                          split brain          the loser's host is lost again

split_brain: the loser cannot be demoted
    other_demotion_failed  -> split_brain / release_vip other; start_retry  a command fails  it cannot be demoted: the VIP is released
    other_looked           -> split_brain / start_retry                     a command fails  it is still primary: asked again later
    retry                  -> split_brain / demote other                    a command fails  it is asked again to go into backup mode

split_brain: whether the loser was demoted is not known
    other_demotion_timed_out  -> split_brain / release_vip other; look other  look first  no answer: it loses the VIP, and is looked at
    other_demotion_unclear    -> split_brain / release_vip other; look other  look first  outcome unclear: it loses the VIP, is looked at

split_brain: the winner fails or changes
    this_down         -> ~no_redundancy / restate_primary other; promote other  split brain  the winner failed: the other one is primary
    this_unreachable  -> ~peer_lost / restate_primary other; promote other      split brain  the winner's host is lost: the other is primary
    this_backup       -> demoting / demote other                                split brain  it became backup: the other is demoted first

# ---- A manual switchover: first the old primary (other) is demoted, then the new one (this) is promoted.
demoting: the old primary
    other_backup           -> promoting / promote this            [S2] manual 3    the old primary is backup: the new one is promoted
    other_down             -> taking_over / promote this          a primary fails  the old primary failed while it was being demoted
    other_unreachable      -> taking_over_lost / promote this     a primary fails  the old primary's host was lost during its demotion
    other_demotion_failed  -> ~redundant / restate_primary other  a command fails  switchover given up: the old primary cannot be demoted
    other_looked           -> ~redundant / restate_primary other  a command fails  switchover given up: the old primary is still primary

demoting: the new primary, before its turn
    this_down         -> ~no_redundancy / restate_primary other; promote other  better side  the new primary failed: the old stays
    this_unreachable  -> ~peer_lost / restate_primary other; promote other      better side  the new primary's host is lost: the old stays

demoting: the new primary does not wait for its turn
    this_primary  -> split_brain / log_primary this  split brain  the new one is primary before the old one's demotion

promoting: the new primary is promoted
    this_primary  -> redundant / log_primary this; log_backup other  [S2] manual 4  the switchover is done

promoting: the switchover does not go through
    this_promotion_failed  -> ~both_backup / promote other  a command fails  it cannot be promoted: back to the old primary
    this_looked            -> ~both_backup / promote other  a command fails  it is still backup: back to the old primary
    other_primary          -> demoting / demote other       carry on         the old primary is primary again: demoted again

promoting both_backup: an application fails or its host is lost
    this_down          -> ~taking_over / promote other       a primary fails  it failed: the other one takes over
    this_unreachable   -> ~taking_over_lost / promote other  a primary fails  its host is lost: the other one takes over
    other_down         -> taking_over                        carry on         the other one failed: the promotion goes on
    other_unreachable  -> taking_over_lost                   carry on         the other one's host is lost: the promotion goes on

# ---- No primary: one of two backups is promoted, or the one that is left takes over.
both_backup: which becomes primary?
    this_primary           -> redundant / log_primary this    both are backup  one of two backups is primary now
    other_primary          -> ~redundant / log_primary other  both are backup  the other one of two backups is primary now
    this_promotion_failed  -> ~both_backup / start_retry      a command fails  it cannot be promoted: the other is tried later
    this_looked            -> ~both_backup / start_retry      a command fails  it is still backup: the other is tried later

taking_over: the other application is down
    this_primary       -> no_redundancy / log_primary this  [S2] failure 4   the backup has become primary
    this_down          -> out_of_service                    nothing is left  both applications have failed
    this_unreachable   -> ~cut_off                          nothing is left  the successor's host is lost, the other is down
    other_backup       -> both_backup                       carry on         the failed application is up: the takeover goes on
    other_unreachable  -> taking_over_lost                  carry on         the failed application's host is lost: the takeover goes on

taking_over_lost: the other host is lost
    this_primary  -> peer_lost / log_primary this  [S2] disconnected 3  the backup has become primary
    this_down     -> cut_off                       nothing is left      the successor failed, and the other host is lost
    other_backup  -> both_backup                   carry on             the lost host returned, backup: the takeover goes on
    other_down    -> taking_over                   carry on             the lost host returned, down: the takeover goes on

TAKING_OVER: the old primary is back
    other_primary [promotion_runs]       -> demoting / demote other                          carry on     the old primary is back: demoted
    other_primary [promotion_overtaken]  -> ~redundant / restate_primary other; demote this  better side  the old primary is back and better
    other_primary [promotion_failed]     -> ~redundant / restate_primary other               better side  the old primary is back: it stays

TAKING_OVER: the promotion fails
    this_promotion_failed  stays / start_retry  a command fails  the backup cannot be promoted: tried again later
    this_looked            stays / start_retry  a command fails  it is still backup: tried again later

both_backup TAKING_OVER: the time is over
    retry  stays / promote this  a command fails  the promotion is tried again

# ---- Nothing in service.
out_of_service: both applications are down
    this_backup       -> taking_over / promote this            both are backup  an application is up again: it is promoted
    this_primary      -> no_redundancy / restate_primary this  adopt what is    an application is up again, as primary
    this_unreachable  -> ~cut_off                              nothing is left  a host is lost, the other application is down

cut_off: this application is down, the other host is lost
    this_backup   -> taking_over_lost / promote this   both are backup  the only application heard is up: it is promoted
    this_primary  -> peer_lost / restate_primary this  adopt what is    the only application heard is up again, as primary

cut_off first_seen_down: the other host reports
    other_backup   -> ~taking_over / promote other            both are backup  the other host reports a backup: it is promoted
    other_primary  -> ~no_redundancy / restate_primary other  adopt what is    the other host reports a primary: it is adopted
    other_down     -> out_of_service                          nothing is left  both applications are down

# ---- After a restart, or when no host was heard: what the hosts report is adopted.
out_of_sight: the first host reports
    this_primary  -> first_seen_primary / start_settle  adopt what is  the first host heard reports a primary
    this_backup   -> first_seen_backup / start_settle   adopt what is  the first host heard reports a backup: wait
    this_down     -> first_seen_down / start_settle     adopt what is  the first host heard reports its application down

first_seen_backup first_seen_down: it changes before the other host reports
    this_primary  -> first_seen_primary  adopt what is  it is primary now
first_seen_primary first_seen_down: likewise
    this_backup   -> first_seen_backup   adopt what is  it is backup now
first_seen_primary first_seen_backup: likewise
    this_down     -> first_seen_down     adopt what is  it is down now

first_seen_primary: the other host reports, or is given up
    other_backup               -> redundant / restate_primary this      adopt what is  one primary, one backup: adopted
    other_down                 -> no_redundancy / restate_primary this  adopt what is  one primary, the other one is down: adopted
    other_unreachable settled  -> peer_lost / restate_primary this      adopt what is  one primary, and the other host is not heard

first_seen_primary: there are two primaries
    other_primary [this_outranks]   -> split_brain / restate_primary this; demote other   tie-break  two primaries: this one stays
    other_primary [other_outranks]  -> ~split_brain / restate_primary other; demote this  tie-break  two primaries: the other one stays

first_seen_backup: the other host reports, or is given up
    other_primary                  -> ~redundant / restate_primary other  adopt what is    one primary, one backup: adopted
    other_backup [this_outranks]   -> both_backup / promote this          tie-break        two backups: this one is promoted
    other_backup [other_outranks]  -> ~both_backup / promote other        tie-break        two backups: the other one is promoted
    other_down                     -> taking_over / promote this          both are backup  one backup, the other is down: it is promoted
    other_unreachable settled      -> taking_over_lost / promote this     both are backup  no other host: the backup is promoted

first_seen_down: the other host is given up
    other_unreachable settled  -> cut_off  nothing is left  down here, and the other host is not heard

* out_of_service: no host is heard
    blinded  -> out_of_sight  both silent  no host is heard: no command is given

# ---- Messages from outside: taken where they agree with the hosts' reports; they may come twice.
HAS_PRIMARY: a message says that the primary became primary
    this_logged_primary  stays / repeat this  message from outside  the message agrees with the report: alarm activated

redundant: a message says that the backup became primary
    other_logged_primary [other_is_no_worse]  -> ~demoting / demote this  message from outside  the message says primary: switched over
    other_logged_primary [other_is_worse]     stays / look other          better side           the message says primary, but worse: look

redundant: a message says that the backup became backup
    other_logged_backup  -> redundant / repeat other  message from outside  the message agrees with the report: alarm activated

# ---- The result of a command is not known: the application is looked at.
redundant: a late answer to a demotion
    other_demotion_failed  stays / look other  look first  its demotion failed, perhaps it is primary: look

HAS_PRIMARY split_brain: a late answer to a promotion
    this_promotion_failed  stays / look this  look first  its promotion failed, perhaps it is backup: look

* out_of_service: this side
    this_promotion_timed_out this_demotion_timed_out  stays / look this        look first  no answer in time, perhaps carried out: look
    this_promotion_unclear this_demotion_unclear      stays / look this        look first  outcome not seen, perhaps carried out: look
    this_look_failed                                  stays / start_look this  look first  it could not be looked at: look again later
    this_look_due                                     stays / look this        look first  looked at again

*: the other side, which was to be promoted
    other_promotion_timed_out  stays / look other  look first  no answer in time, perhaps carried out: look
    other_promotion_unclear    stays / look other  look first  outcome not seen, perhaps carried out: look

* but split_brain: the other side, which was to be demoted
    other_demotion_timed_out  stays / look other  look first  no answer in time, perhaps carried out: look
    other_demotion_unclear    stays / look other  look first  outcome not seen, perhaps carried out: look

OTHER_HEARD: the other side, which could not be looked at
    other_look_failed  stays / start_look other  look first  it could not be looked at: look again later
    other_look_due     stays / look other        look first  looked at again
"""

IGNORED = """
# It is known already.
this_primary              in HAS_PRIMARY split_brain first_seen_primary  it is known to be primary
this_backup               in demoting BEING_PROMOTED first_seen_backup   it is known to be backup
this_down                 in cut_off first_seen_down out_of_service      it is known to be down
other_primary             in demoting split_brain                        it is known to be primary, and is being demoted
other_backup              in redundant promoting both_backup             it is known to be backup
other_down                in no_redundancy taking_over                   it is known to be down
other_unreachable         in OTHER_LOST                                  its host is known to be lost
this_unreachable blinded  in out_of_sight                                neither host is heard

# A switchover that is not needed, or not possible now.
this_requested/needed   in HAS_PRIMARY split_brain first_seen_primary  it is primary already
this_requested/needed   in demoting BEING_PROMOTED                     it is being made primary already
this_requested/needed   in first_seen_backup                           too early: the other host is not heard yet
this_requested/needed   in first_seen_down cut_off                     that application is down: no switch to it
this_requested/needed   in out_of_service                              both applications are down
this_requested/needed   in out_of_sight                                neither host is heard
other_requested/needed  in no_redundancy taking_over                   that application is down: no switch to it
other_requested/needed  in OTHER_LOST                                  that application's host is lost: no switch to it
other_requested/needed  in split_brain demoting promoting both_backup  a switchover is under way: ask again afterwards
other_requested/needed  in FIRST_SEEN                                  that application's host is not heard yet

# Messages from outside that contradict the reports, or come while something is under way.
this_logged_primary/backup   in EVERY_STATE but HAS_PRIMARY  messages count only while nothing is under way
other_logged_primary/backup  in * but HAS_PRIMARY            messages count only while nothing is under way
this_logged_backup           in HAS_PRIMARY                  the message contradicts the host's report, which counts
other_logged_primary/backup  in no_redundancy peer_lost      that application is down, or its host is lost

# Answers to commands that were given before things changed.
this_promotion_failed             in demoting cut_off FIRST_SEEN                          out of date: it is not being promoted now
this_promotion_failed             in out_of_service out_of_sight                          out of date: neither is being promoted now
this_demotion_failed              in *                                                    out of date: it is not being demoted now
this_demotion_failed              in out_of_service out_of_sight                          out of date: neither is being demoted now
other_promotion_failed            in *                                                    out of date: it is not being promoted now
other_demotion_failed             in * but redundant split_brain demoting                 out of date: it is not primary now
this_looked                       in EVERY_STATE but BEING_PROMOTED                       out of date: it is not being promoted now
other_looked                      in * but split_brain demoting                           out of date: it is not being demoted now
other_look_failed/due             in OTHER_LOST FIRST_SEEN                                its host will report when it connects
this_look_failed/due              in out_of_sight                                         neither host is heard
this_promotion_unclear/timed_out  in out_of_sight                                         neither host is heard
this_demotion_unclear/timed_out   in out_of_sight                                         neither host is heard
retry                             in EVERY_STATE but split_brain both_backup TAKING_OVER  out of date: there is nothing to retry
settled                           in EVERY_STATE but FIRST_SEEN                           both hosts have been heard, or given up
"""

IMPOSSIBLE = """
this_unreachable  in OTHER_LOST FIRST_SEEN  the only host heard: `blinded` comes instead
"""

PAIR = Table(
    name="component pair",
    states=STATES,
    initial="out_of_sight",
    triggers=" ".join(PairTrigger),
    guards=(
        "this_outranks other_outranks",
        "promotion_runs promotion_overtaken promotion_failed",
        "other_is_worse other_is_no_worse",
        "other_is_better other_is_no_better",
    ),
    outputs=" ".join(PairOutput),
    rows=rows(STATES, MOVES, IGNORED, IMPOSSIBLE, GROUPS),
)
