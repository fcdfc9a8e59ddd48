"""The views of the Virtual IP: the rows that each takes, and the places of its states."""

from .views import Rows, View

_FAILURES = (
    "this_enable_failed this_disable_failed other_disable_failed this_announce_failed announce_again"
    " retry this_looked other_looked"
)

VIP_VIEWS = (
    View(
        "documented",
        "what the documents describe",
        takes=(Rows(cite="[S2]"), Rows(source="moving", trigger="other_free")),
        gap=(170, 110),
        map="""
            held_1  .          .            .
            .       leaving_1  .            .
            .       .          moving_2     enabling_2
            .       .          releasing_2  .
            .       .          .            absent_2
            .       .          .            enabling_owed_2
            .       .          .            owed_2
            .       .          conflict_2   .
        """,
    ),
    View(
        "literal",
        "the policy `literal`: every reaction launches its script",
        takes=(Rows(cite="[S1]"),),
    ),
    View(
        "looks",
        "a result is not known: look first",
        takes=(Rows(cite="rule: look first"),),
    ),
    View(
        "retried",
        "what fails is tried again",
        takes=(Rows(trigger=_FAILURES, destination="="),),
    ),
    View(
        "given-up",
        "what fails is given up, or done in another way",
        takes=(Rows(trigger=_FAILURES),),
        groups={"shared": "sharing covering"},
        is_mirrored=False,
        gap=(220, 60),
        map="""
            .         shared_1         held_2
            off       enabling_1       .
            absent_1  enabling_owed_1  .
            .         moving_1         leaving_2
            .         .                .
            .         clearing_1       .
        """,
    ),
    View(
        "disable-first",
        "disabled on one host before it is enabled on the other",
        takes=(
            Rows(source="held leaving", guard="disable_first"),
            Rows(source="clearing", trigger="other_free this_held"),
        ),
        gap=(190, 130),
        map="""
            held_1  .          .    .            .
            .       leaving_1  .    .            .
            .       .          .    clearing_2   enabling_2
            .       .          off  releasing_2  .
        """,
    ),
    View(
        "enable-first",
        "enabled on one host before it is disabled on the other",
        takes=(Rows(cite="rule: VIP order"), Rows(source="covering draining", trigger="other_free this_held")),
        groups={"here": "conflict draining", "coming": "sharing covering"},
        gap=(190, 90),
        map="""
            held_1     .  here_2      .
            .          .  sharing_2   moving_2
            leaving_1  .  covering_2  .
            .          .  draining_2  releasing_2
            .          .  coming_2    enabling_2
        """,
    ),
    View(
        "lost",
        "a host is lost",
        takes=(Rows(trigger="this_unreachable other_unreachable blinded"),),
        groups={
            "keeping": "held releasing draining",
            "getting": "enabling moving clearing sharing covering",
            "shared": "sharing covering conflict draining",
            "unserved": "enabling leaving",
            "handing": "moving clearing releasing",
            "any": "* off",
        },
        is_mirrored=False,
        gap=(180, 50),
        map="""
            owed_1           keeping_1   shared_1      owed_2
            .                conflict_1  .             .
            enabling_owed_1  getting_1   unserved_1    .
            absent_1         .           off           absent_2
            leaving_owed_1   leaving_1   handing_1     leaving_owed_2
            .                any         out_of_sight  .
        """,
    ),
    View(
        "owing",
        "while the other host is lost",
        takes=(
            Rows(
                source="owed enabling_owed leaving_owed absent",
                trigger="this_free this_held this_enable_asked this_disable_asked",
            ),
        ),
        is_mirrored=False,
        gap=(280, 120),
        map="""
            owed_1           absent_1
            enabling_owed_1  leaving_owed_1
        """,
    ),
    View(
        "returns",
        "a lost host returns",
        takes=(Rows(source="owed enabling_owed leaving_owed absent"),),
        groups={"here": "owed held", "getting": "enabling_owed enabling", "going": "leaving leaving_owed"},
        is_mirrored=False,
        gap=(220, 60),
        map="""
            held_1       owed_1           .
            releasing_1  here_1           conflict_2
            .            going_1          releasing_2
            leaving_1    leaving_owed_1   .
            enabling_1   enabling_owed_1  .
            sharing_1    getting_1        .
            moving_1     .                .
            off          absent_1         held_2
        """,
    ),
    View(
        "requests",
        "the latest request counts",
        takes=(Rows(trigger="this_enable_asked this_disable_asked other_enable_asked other_disable_asked"),),
        groups={"both": "sharing covering draining", "arriving": "moving releasing"},
        is_mirrored=False,
        gap=(220, 60),
        map="""
            .           off          .
            leaving_1   enabling_1   .
            arriving_1  moving_1     moving_2
            .           releasing_1  sharing_2
            .           .            clearing_2
            .           clearing_1   leaving_2
            .           .            enabling_2
            .           both_1       releasing_2
            .           conflict_1   conflict_2
        """,
    ),
    View(
        "vanishes",
        "it vanishes without a command",
        takes=(Rows(source="held leaving conflict draining releasing", trigger="this_free"),),
        is_mirrored=False,
        gap=(230, 60),
        map="""
            .           held_1       off
            enabling_1  .            leaving_1
            moving_1    releasing_1  leaving_2
            covering_1  draining_1   .
            sharing_1   conflict_1   held_2
        """,
    ),
    View(
        "appears",
        "it appears without a command, or is announced again",
        is_mirrored=False,
        gap=(200, 70),
        map="""
            off           enabling_1  moving_1
            held_1        .           releasing_1
            .             .           sharing_1
            out_of_sight  owed_1      .
            .             absent_1    conflict_1
        """,
    ),
)
