"""The views of the component pair: the rows that each takes, and the places of its states."""

from .views import Rows, View

PAIR_VIEWS = (
    View(
        "documented",
        "what the documents describe",
        takes=(Rows(cite="[S"),),
        gap=(200, 90),
        map="""
            .            .  demoting_2          .
            redundant_1  .  promoting_2         .
            .            .  taking_over_2       .
            .            .  .                   no_redundancy_2
            .            .  taking_over_lost_2  .
            .            .  .                   peer_lost_2
            .            .  split_brain_2       .
        """,
    ),
    View(
        "looks",
        "a result is not known: look first",
        takes=(Rows(cite="rule: look first"),),
    ),
    View(
        "messages",
        "messages from outside",
        takes=(Rows(cite="rule: message from outside"), Rows(trigger="other_logged_primary")),
        groups={"primary": "redundant no_redundancy peer_lost"},
        map="""
            redundant_1  .  .           .
            .            .  demoting_2  .
            primary_1    .  .           .
        """,
    ),
    View(
        "switchover",
        "a switchover that does not succeed",
        takes=(Rows(source="demoting promoting"),),
        groups={"promoted": "promoting both_backup"},
        is_mirrored=False,
        gap=(210, 60),
        map="""
            redundant_1         .            .
            no_redundancy_1     demoting_2   taking_over_2
            peer_lost_1         .            taking_over_lost_2
            .                   promoting_2  split_brain_2
            both_backup_1          .            .
            taking_over_1       promoted_2   .
            taking_over_lost_1  .            .
        """,
    ),
    View(
        "split-brain",
        "reconnection and split brain",
        takes=(
            Rows(source="split_brain"),
            Rows(destination="split_brain", cite="rule: split brain"),
            Rows(cite="rule: a host returns"),
        ),
        gap=(200, 110),
        map="""
            redundant_1      .              .  .
            no_redundancy_1  demoting_1     .  .
            peer_lost_1      .              .  .
            .                split_brain_1  .  .
        """,
    ),
    View(
        "first-seen",
        "the first host is heard, or none",
        takes=(
            Rows(source="out_of_sight"),
            Rows(trigger="blinded"),
            Rows(destination="first_seen_primary first_seen_backup first_seen_down"),
        ),
        groups={"any": "* out_of_service"},
        gap=(130, 120),
        map="""
            .                     any           .
            .                     out_of_sight  .
            first_seen_primary_1  .             .
            first_seen_backup_1   .             .
            first_seen_down_1     .             .
        """,
    ),
    View(
        "second-seen",
        "the other host is heard, or given up",
        takes=(Rows(source="first_seen_primary first_seen_backup first_seen_down"),),
        groups={"down": "cut_off first_seen_down"},
        is_mirrored=False,
        gap=(230, 50),
        map="""
            redundant_1         .                     .
            no_redundancy_1     first_seen_primary_1  .
            peer_lost_1         .                     split_brain_2
            split_brain_1       .                     .
            .                   .                     redundant_2
            taking_over_1       first_seen_backup_1   .
            taking_over_lost_1  .                     both_backup_2
            both_backup_1          .                     .
            .                   first_seen_down_1     .
            cut_off_1           .                     taking_over_2
            .                   down_1                no_redundancy_2
            .                   out_of_service        .
        """,
    ),
    View(
        "nothing",
        "nothing in service",
        takes=(Rows(source="cut_off out_of_service"), Rows(destination="cut_off ~cut_off out_of_service")),
        gap=(100, 110),
        map="""
            no_redundancy_1  .                   .               .  .
            .                taking_over_1       .               .  .
            .                .                   out_of_service  .  .
            peer_lost_1      .                   .               .  .
            .                taking_over_lost_1  .               .  .
            .                cut_off_1           .               .  .
        """,
    ),
    View(
        "taking-over",
        "no primary, and other events during a takeover",
        groups={"promoted": "taking_over taking_over_lost"},
        is_mirrored=False,
        gap=(200, 130),
        map="""
            redundant_1      both_backup_1          both_backup_2
            no_redundancy_1  .                   redundant_2
            .                taking_over_1       promoted_1
            peer_lost_1      taking_over_lost_1  demoting_1
        """,
    ),
)
