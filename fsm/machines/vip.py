"""The Virtual IP: which host holds it, and how it moves.

A state names the side that holds the VIP or will hold it (*this*), and says what is known about both hosts:

    state            this                     other
    held             holds it                 does not hold it
    owed             holds it                 its host is lost and may hold it: it owes a release
    enabling         is enabling it           does not hold it
    enabling_owed    is enabling it           its host is lost and may hold it
    moving           is enabling it           is disabling it
    clearing         enables it next          is disabling it                  (order `disable-first`)
    sharing          is enabling it           holds it, its release is not requested
    covering         is enabling it           holds it until this one does     (order `enable-first`)
    draining         holds it                 holds it, and answers what it has received  (order `enable-first`)
    conflict         holds it                 holds it, its release is not requested
    releasing        holds it                 is disabling it
    leaving          is disabling it          does not hold it
    leaving_owed     is disabling it          its host is lost and may hold it
    absent           does not hold it         its host is lost and may hold it
    off              neither holds it
    out_of_sight     neither host is heard

The rules, by the names that the rows cite:

1. *VIP order*: the VIP follows the alarm reactions (`enable_asked`, `disable_asked`) and nothing else. Which script runs
   first is configured: both together, disable first or enable first. Where the VIP is, the hosts report.
2. *Latest request*: the latest request counts. A request for something that is done or under way runs nothing: one
   switchover runs each script once.
3. *A host is lost*: no script can run on a lost host, so it owes a release. *A host returns*: if it does not hold the
   VIP, it owes nothing. *Debts are collected*: if it holds the VIP, the reaction to its demotion releases it; if no
   demotion is to come, it is released at once. *Tie-break*: of two holders, the one whose release is requested loses it.
4. *Announce again*: the host that keeps the VIP announces it again when the other host's release is confirmed. Otherwise
   clients may keep the loser's hardware address in their caches (Cisco routers: for four hours).
5. *A command fails*: a script that fails is run again later, if its result is still wanted. *Service first*: if the old
   holder cannot release the VIP, the VIP is enabled on the new host all the same. *Look first*: if the result of a script
   is not known, the interface is looked at.
6. [S1] *key notes*: an SCS launches its scripts even if there is nothing to do. The policy `literal` does the same
   (triggers `..._ordered` instead of `..._asked`), to show what that costs.
7. *Where it belongs*: if the VIP vanishes, it is enabled again. *Never for a backup*: only while the component that it
   follows is primary there.
8. *Adopt what is*: the hosts' reports count. A host that enabled the VIP on command has announced it (`enabled`); one
   that holds it for another reason (`held`) is commanded to announce it. A host that disabled it on command (`released`)
   may have announced it until then; one that simply does not hold it (`free`) has not.
9. The last report of a host counts: if a state contradicts it, and no script is under way there that may change it, the
   machine gets that report once more (`facts.vip_surprise`).
10. *Both silent*: while no host is heard, no command is given.

Known weakness: from the loss of a host until its release, both hosts may hold the VIP, as [S2] describes it.
"""

from ..tables.notation import rows
from ..tables.outputs import VipOutput
from ..tables.table import Table
from ..tables.triggers import VipTrigger

STATES = (
    "held* owed* enabling* enabling_owed* moving* clearing* sharing* covering* draining* conflict* releasing*"
    " leaving* leaving_owed* absent* off out_of_sight"
)

# fmt: off
HELD = {
    "held":      (True, False),   "owed":          (True, None),
    "enabling":  (False, False),  "enabling_owed": (False, None),
    "moving":    (False, True),   "clearing":      (False, True),
    "sharing":   (False, True),   "covering":      (False, True),
    "draining":  (True, True),    "conflict":      (True, True),
    "releasing": (True, True),
    "leaving":   (True, False),   "leaving_owed":  (True, None),
    "off":       (False, False),  "absent":        (False, None),
}
# fmt: on
"""Whether *this* and the *other* host hold the VIP in a state, as the list above says; None: its host is lost."""

AT_REST = ("held", "owed", "absent", "off", "out_of_sight")
"""The states in which nothing is under way."""

GROUPS = {
    "HOLDS_IT": "held owed conflict releasing draining",
    "IS_ENABLING": "enabling enabling_owed moving clearing sharing covering",
    "LEAVING": "leaving leaving_owed",
    "OTHER_HOLDS_IT": "moving clearing sharing covering conflict releasing draining",
    "OTHER_LOST": "owed enabling_owed leaving_owed absent",
    "OTHER_HEARD": "* but OTHER_LOST",
    "EVERY_STATE": "* off out_of_sight",
}
"""Groups of states, named for the condition of *this* side or of the other host. `LEAVING`: it is disabled here."""

MOVES = """
# ---- The documented move: both scripts, in the order that is configured.
held: its release is requested, or first its move to the other host
    this_disable_asked/ordered                  -> leaving / disable this    [S2] manual 7-8  the script that disables the VIP is launched
    other_enable_asked/ordered [together]       -> ~sharing / enable other   VIP order        enabled there, before its release is requested
    other_enable_asked/ordered [disable_first]  -> ~clearing / disable this  VIP order        it is disabled here before it is enabled there
    other_enable_asked/ordered [enable_first]   -> ~sharing / enable other   VIP order        it is enabled there before it is disabled here

owed: its release is requested
    this_disable_asked/ordered  -> leaving_owed / disable this  a host is lost  the script that disables the VIP is launched

leaving: then the other host is to get it
    other_enable_asked/ordered [together]       -> ~moving / enable other    [S2] manual 7-8  the script that enables it is launched too
    other_enable_asked/ordered [disable_first]  -> ~clearing / disable this  VIP order        it is enabled there after it is gone here
    other_enable_asked/ordered [enable_first]   -> ~moving / enable other    VIP order        it is being disabled: it is enabled there now

sharing: then its release on the other host is requested
    other_disable_asked/ordered [together]       -> moving / disable other  VIP order  both scripts are launched
    other_disable_asked/ordered [disable_first]  -> moving / disable other  VIP order  it is being enabled: it is disabled at once
    other_disable_asked/ordered [enable_first]   -> covering                VIP order  it is disabled there after it is seen here

covering: it arrives here
    this_enabled  -> draining / start_drain                 VIP order       it is here; the other host still answers
    this_held     -> draining / announce this; start_drain  announce again  it is here without our command: announced
draining: the other host's time is over
    drained       -> releasing / disable other              VIP order       now it is disabled there

moving: it arrives here, or is released there
    this_enabled         -> releasing                  [S2] manual 8   it is here; the other host's release is pending
    this_held            -> releasing / announce this  announce again  it is here without our command: announced
    other_free/released  -> enabling / announce this   announce again  the other host released it: announced when it is here

clearing: it is released there
    other_free/released [this_serves]      -> enabling / enable this  VIP order           the other host released it: it is enabled here
    other_free/released [this_serves_not]  -> off                     never for a backup  no primary here: the next one gets it

enabling: it arrives here
    this_enabled  -> held                  [S2] manual 8   it is here, and nowhere else
    this_held     -> held / announce this  announce again  it is here without our command: announced

releasing: it is released there
    other_free/released  -> held / announce this  [S2] reconnection 8  the release is confirmed: announced again
conflict draining: likewise
    other_free/released  -> held / announce this  announce again       it is gone there: announced again

leaving: it is released here
    this_free/released  -> off     latest request  it is gone
leaving_owed: likewise
    this_free/released  -> absent  latest request  it is gone

off: it is requested
    this_enable_asked/ordered  -> enabling / enable this  where it belongs  the script that enables the VIP is launched

# ---- A host is lost.
held releasing draining: the other host is lost
    other_unreachable                    -> owed                         a host is lost      the other host is lost, and may owe a release
conflict: likewise, once more
    other_unreachable                    -> owed                         a host is lost      the other host is lost again before its release
leaving: likewise
    other_unreachable                    -> leaving_owed                 a host is lost      the other host is lost during the release here
IS_ENABLING but enabling_owed: likewise
    other_unreachable [this_serves]      -> enabling_owed / enable this  a host is lost      the other host is lost: enabled here at once
    other_unreachable [this_serves_not]  -> absent                       never for a backup  no primary here: the next one gets it

held: this host is lost
    this_unreachable  -> ~absent        [S2] disconnected 1  the VIP's holder is lost: it owes a release
enabling leaving: likewise
    this_unreachable  -> ~absent        a host is lost       this host is lost, the other does not hold it
moving clearing releasing: likewise
    this_unreachable  -> ~leaving_owed  a host is lost       this host is lost, the other one is releasing it
sharing covering conflict draining: likewise
    this_unreachable  -> ~owed          a host is lost       this host is lost, and the other one holds it
off: a host is lost
    this_unreachable  -> ~absent        a host is lost       a host is lost, the other does not hold it
* off: no host is heard
    blinded           -> out_of_sight   both silent          no host is heard: no command is given

absent: it is requested
    this_enable_asked/ordered  -> enabling_owed / enable this  [S2] disconnected 6         enabled here; no script runs on the lost host
enabling_owed: it arrives here
    this_enabled               -> owed                         [S2] disconnected, after 6  it is here; the lost host still owes its release
    this_held                  -> owed / announce this         announce again              it is here without our command: announced

# ---- The lost host returns.
owed held: the other host returns with the VIP, or holds it
    other_held/enabled [other_is_demoted]  -> conflict                   [S2] reconnection 2  both hold it: it is released there on demotion
    other_held/enabled [this_is_demoted]   -> ~conflict                  tie-break            both hold it: it is released here on demotion
    other_held/enabled [other_is_primary]  -> ~releasing / disable this  debts are collected  both hold it: it belongs to the primary's host
    other_held/enabled [other_is_nothing]  -> releasing / disable other  debts are collected  both hold it: it is released there now

conflict: its release is requested, or it vanishes here
    other_disable_asked/ordered           -> releasing / disable other  [S2] reconnection 7-8  the VIP is disabled on the host that returned
    this_disable_asked/ordered            -> ~releasing / disable this  tie-break              the other host is to keep it
    other_enable_asked/ordered            -> ~conflict                  tie-break              the other host is to keep it
    this_free/released [this_serves]      -> sharing / enable this      where it belongs       it vanished here: it is enabled again
    this_free/released [this_serves_not]  -> ~held / announce other     announce again         it is gone here: the other announces it again

enabling_owed enabling: the other host holds it, or returns with it
    other_held/enabled [other_is_demoted]  -> sharing                 debts are collected  the other host holds it, until its demotion
    other_held/enabled [this_is_demoted]   -> moving / disable other  debts are collected  the other host holds it: it was requested here
    other_held/enabled [other_is_primary]  -> moving / disable other  debts are collected  the other host holds it: it was requested here
    other_held/enabled [other_is_nothing]  -> moving / disable other  debts are collected  the other host holds it: it was requested here

held: the other host has released it
    other_released  stays / announce this  announce again  the other host may have announced it: announced again

owed: the other host returns without the VIP
    other_free/released  -> held / announce this  announce again  the lost host returned without it: announced again
enabling_owed: likewise
    other_free/released  -> enabling              a host returns  the lost host returned without it
leaving_owed: likewise
    other_free/released  -> leaving               a host returns  the lost host returned without it

absent: the other host returns, with the VIP or without it
    other_free/released  -> off                     a host returns  neither host holds it
    other_held/enabled   -> ~held / announce other  announce again  the lost host returned with it: announced again

# ---- Requests that turn back, or that are not the documented pair of scripts.
leaving: it is wanted again
    this_enable_asked/ordered  -> enabling / enable this       latest request  it is wanted here again
leaving_owed: likewise
    this_enable_asked/ordered  -> enabling_owed / enable this  latest request  it is wanted here again

enabling: it is no longer wanted here, or wanted there
    this_disable_asked/ordered  -> leaving / disable this                latest request  it is no longer wanted here
    other_enable_asked/ordered  -> ~moving / enable other; disable this  latest request  it is wanted on the other host now
enabling_owed: likewise
    this_disable_asked/ordered  -> leaving_owed / disable this           latest request  it is no longer wanted here

moving releasing: it is wanted nowhere
    this_disable_asked/ordered  -> leaving / disable this                latest request  it is wanted on neither host
moving: it is wanted there
    other_enable_asked/ordered  -> ~moving / enable other; disable this  latest request  it is wanted on the other host now

clearing: it is wanted nowhere, or there again
    this_disable_asked/ordered  -> ~leaving                  latest request  it is wanted on neither host
    other_enable_asked/ordered  -> ~enabling / enable other  latest request  it is wanted on the other host again

sharing covering draining: it stays there
    this_disable_asked/ordered  -> ~releasing / disable this  latest request  the other host keeps it after all
    other_enable_asked/ordered  -> ~releasing / disable this  latest request  the other host keeps it after all

releasing: it is wanted there
    other_enable_asked/ordered [together]       -> ~sharing / enable other   latest request  it is wanted on the other host now
    other_enable_asked/ordered [disable_first]  -> ~clearing / disable this  latest request  it is wanted there, after it is gone here
    other_enable_asked/ordered [enable_first]   -> ~sharing / enable other   latest request  it is wanted on the other host now

# ---- Reports that no command explains.
out_of_sight: the first host is heard
    this_held/enabled   -> owed    adopt what is  the first host heard holds it; perhaps both do
    this_free/released  -> absent  adopt what is  the first host heard does not hold it

off: it appears
    this_held/enabled  -> held / announce this  adopt what is  somebody else enabled it: announced
absent: likewise
    this_held/enabled  -> owed / announce this  adopt what is  somebody else enabled it: announced

clearing: it appears before it was commanded
    this_held/enabled [this_serves]      -> releasing / enable this  latest request  it is here early: enabled again, to be safe
    this_held/enabled [this_serves_not]  -> releasing                adopt what is   it is here before it was commanded

sharing: it appears
    this_enabled  -> conflict                  adopt what is   both hosts hold it, no release is requested
    this_held     -> conflict / announce this  announce again  it is here without our command: announced

LEAVING: it appears there
    other_held/enabled   -> ~releasing                adopt what is   the other host holds it: it keeps it
sharing covering: it vanishes there
    other_free/released  -> enabling / announce this  announce again  it vanished there: announced when it is here

held: it vanishes
    this_free/released [this_serves]      -> enabling / enable this       where it belongs    it vanished by itself: it is enabled again
    this_free/released [this_serves_not]  -> off                          never for a backup  it vanished, and no primary is here
owed: likewise
    this_free/released [this_serves]      -> enabling_owed / enable this  where it belongs    it vanished by itself: it is enabled again
    this_free/released [this_serves_not]  -> absent                       never for a backup  it vanished, and no primary is here
draining: likewise
    this_free/released [this_serves]      -> covering / enable this       where it belongs    it vanished by itself: it is enabled again
    this_free/released [this_serves_not]  -> ~held / announce other       never for a backup  it vanished here: the other host keeps it
releasing: likewise
    this_free/released [this_serves]      -> moving / enable this         where it belongs    it vanished by itself: it is enabled again
    this_free/released [this_serves_not]  -> ~leaving                     never for a backup  it vanished, and no primary is here

# ---- Scripts that fail, and are run again.
enabling enabling_owed moving sharing covering: it cannot be enabled
    this_enable_failed  stays / start_retry  a command fails  it cannot be enabled: tried again later
    this_looked         stays / start_retry  a command fails  it is not here yet: tried again later

enabling enabling_owed sharing covering: the time is over, and a primary is here
    retry [this_serves]  stays / enable this  a command fails  enabling it is tried again

enabling: the time is over, and no primary is here
    retry [this_serves_not]  -> off                     never for a backup  no primary here: the next one gets it
enabling_owed: likewise
    retry [this_serves_not]  -> absent                  never for a backup  no primary here: the next one gets it
sharing covering: likewise
    retry [this_serves_not]  -> ~held / announce other  never for a backup  no primary here: the other host keeps it

moving: it cannot be disabled there, or not be enabled here
    other_disable_failed     stays / start_retry                 a command fails     it cannot be disabled there: tried again later
    other_looked             stays / start_retry                 a command fails     it is still there: tried again later
    retry [this_serves]      stays / enable this; disable other  a command fails     the unfinished scripts are tried again
    retry [this_serves_not]  -> ~leaving / disable other         never for a backup  no primary here: the next one gets it

clearing: it cannot be disabled there
    other_disable_failed [this_serves]      -> moving / enable this; start_retry  service first       not disabled there: enabled here too
    other_disable_failed [this_serves_not]  -> ~leaving / start_retry             never for a backup  no primary here: the next one gets it
    other_looked [this_serves]              -> moving / enable this; start_retry  service first       it is still there: enabled here too
    other_looked [this_serves_not]          -> ~leaving / start_retry             never for a backup  no primary here: the next one gets it

releasing: it cannot be disabled there
    other_disable_failed  stays / announce this; start_retry  a command fails  not disabled there: announced here, retried later
    other_looked          stays / announce this; start_retry  a command fails  still there: announced here, retried later
    retry                 stays / disable other               a command fails  the release is tried again

LEAVING: it cannot be disabled
    this_disable_failed  stays / start_retry   a command fails  it cannot be disabled: tried again later
    this_looked          stays / start_retry   a command fails  it is still here: tried again later
    retry                stays / disable this  a command fails  the release is tried again

held owed: a script fails, though the VIP is here
    this_enable_failed    stays / announce this   announce again   the script failed, but it is here: announced
    this_announce_failed  stays / start_announce  a command fails  it could not be announced: tried again later
    announce_again        stays / announce this   a command fails  announced again

# ---- The result of a script is not known: the interface is looked at.
* off: this host
    this_script_unclear   stays / look this         look first  no clear answer in time: the interface is looked at
    this_look_failed      stays / start_look this   look first  it could not be looked at: look again later
    this_look_due         stays / look this         look first  looked at again
OTHER_HEARD: the other host
    other_script_unclear  stays / look other        look first  no clear answer in time: the interface is looked at
    other_look_failed     stays / start_look other  look first  it could not be looked at: look again later
    other_look_due        stays / look other        look first  looked at again

# ---- Policy `literal`: every reaction launches its script, as an SCS does.
HOLDS_IT: it is ordered here
    this_enable_ordered    stays / enable this    [S1] key notes  literal: launched, although it holds the VIP
IS_ENABLING: likewise
    this_enable_ordered    stays / enable this    [S1] key notes  literal: launched, although the VIP is being enabled
held enabling leaving: its release is ordered there
    other_disable_ordered  stays / disable other  [S1] key notes  literal: launched, although it does not hold the VIP
moving clearing releasing draining: likewise
    other_disable_ordered  stays / disable other  [S1] key notes  literal: launched, although the VIP is being released
LEAVING absent off: its release is ordered here
    this_disable_ordered   stays / disable this   [S1] key notes  literal: launched, although the VIP is gone or going
"""

IGNORED = """
# It is known already.
this_held/enabled         in HOLDS_IT            it is known to hold it
this_held/enabled         in LEAVING             it is being disabled here
this_free/released        in absent IS_ENABLING  it is known not to hold it yet
this_free/released        in off                 it is known not to hold it
other_held/enabled        in OTHER_HOLDS_IT      it is known to hold it
other_free                in held                it is known not to hold it
other_free/released       in enabling leaving    it is known not to hold it
other_unreachable         in OTHER_LOST          its host is known to be lost
this_unreachable blinded  in out_of_sight        neither host is heard

# A script that is not needed, or cannot run now.
this_enable_asked            in HOLDS_IT                                     not run again: it holds the VIP
this_enable_asked            in IS_ENABLING                                  not run again: the VIP is being enabled there
this_disable_asked           in absent off                                   not run: it does not hold the VIP
this_disable_asked           in LEAVING                                      not run again: the VIP is being released there
this_enable_asked/ordered    in out_of_sight                                 neither host is heard
this_disable_asked/ordered   in out_of_sight                                 neither host is heard
other_disable_asked          in held enabling leaving                        not run: it does not hold the VIP
other_disable_asked          in moving clearing covering releasing draining  not run again: the VIP is being released there
other_disable_ordered        in covering                                     it is released there as soon as it is here
other_disable_asked/ordered  in OTHER_LOST                                   not run: its host is lost, the release is owed
other_enable_asked/ordered   in OTHER_LOST                                   not run: its host is lost

# Answers to commands that were given before things changed.
this_enable_failed               in conflict releasing draining clearing                     out of date: it is not being enabled here
this_enable_failed               in LEAVING absent off out_of_sight                          out of date: it is not being enabled here
other_enable_failed              in *                                                        out of date: it is not wanted there
this_disable_failed              in EVERY_STATE but LEAVING                                  out of date: it is not being disabled here
other_disable_failed             in * but moving clearing releasing                          out of date: it is not being disabled there
this_announce_failed             in * but held owed                                          it moves: its next holder announces it
this_announce_failed             in off out_of_sight                                         out of date: it is not announced now
other_announce_failed            in *                                                        out of date: it is not wanted there
announce_again                   in EVERY_STATE but held owed                                out of date: it is not announced now
this_looked                      in HOLDS_IT clearing absent off                             the report has been taken in already
other_looked                     in * but moving clearing releasing                          the report has been taken in already
other_script_unclear             in OTHER_LOST                                               its host will report when it connects
other_look_failed/due            in OTHER_LOST                                               its host will report when it connects
this_script_unclear this_looked  in out_of_sight                                             neither host is heard
this_look_failed/due             in out_of_sight                                             neither host is heard
retry                            in HOLDS_IT clearing absent off out_of_sight but releasing  out of date: there is nothing to retry
drained                          in EVERY_STATE but draining                                 out of date: no release waits for it
"""

IMPOSSIBLE = """
this_unreachable  in OTHER_LOST  the only host heard: `blinded` comes instead
"""

VIP = Table(
    name="Virtual IP",
    states=STATES,
    initial="out_of_sight",
    triggers=" ".join(VipTrigger),
    guards=(
        "together disable_first enable_first",
        "other_is_demoted this_is_demoted other_is_primary other_is_nothing",
        "this_serves this_serves_not",
    ),
    outputs=" ".join(VipOutput),
    rows=rows(STATES, MOVES, IGNORED, IMPOSSIBLE, GROUPS),
)
