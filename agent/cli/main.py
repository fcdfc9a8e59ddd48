"""The console command, `switchover`: its commands, options, help texts and exit statuses."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from ...drivers.errors import DriverError
from ...fsm.documented.voicemail import WIRINGS
from ..configuration.load import ConfigurationError
from ..controller.operator_client import OperatorError
from ..daemons import logs
from ..history.journal import JournalError
from . import commands
from .commands import BAD_INPUT, NOT_OK, UNREACHABLE, lazily
from .usage import HelpFormatter

DEFAULT_CONFIGURATION = "/etc/switchover/switchover.toml"

EXIT_STATUS = """\
exit status: 0 done, or everything is as it should be;
  1 refused, failed, or not as it should be;
  2 bad usage or bad configuration;
  3 the agent cannot be reached"""


VERIFY_EXIT_STATUS = """\
exit status: 0 all properties hold;
  1 a property is broken;
  2 bad usage or bad configuration;
  3 not exhausted: no property is broken as far as the memory limit allowed"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. Errors that a person can fix are one line each on standard error."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and (not hasattr(options, "workflows") or any(word.startswith("-") for word in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.workflows += rest  # argparse does not take workflows that follow an option
    try:
        return options.run(options)
    except ConfigurationError as error:
        print("\n".join(str(problem) for problem in error.problems), file=sys.stderr)
        return BAD_INPUT
    except OperatorError as error:
        print(f"switchover: {error}", file=sys.stderr)
        return UNREACHABLE
    except (DriverError, JournalError) as error:
        print(f"switchover: {error}", file=sys.stderr)
        return NOT_OK
    except KeyboardInterrupt:
        return 130  # as shells report a program that was ended by Ctrl-C
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of our output has closed it
        return NOT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="switchover",
        description="Move a telephony solution and its Virtual IP between two hosts.",
        epilog=EXIT_STATUS,
        formatter_class=HelpFormatter,
    )
    subcommands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(
        name: str, run: Callable[[argparse.Namespace], int], text: str, example: str, status: str = EXIT_STATUS
    ) -> argparse.ArgumentParser:
        command = subcommands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            epilog=f"example: {example}\n\n{status}",
            formatter_class=HelpFormatter,
        )
        command.set_defaults(run=run)
        return command

    def configured(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
        command.add_argument(
            "-c",
            "--config",
            default=DEFAULT_CONFIGURATION,
            metavar="FILE",
            help="the configuration; default: %(default)s",
        )
        return command

    init = add(
        "init", commands.init, "write a commented example configuration", "switchover init voicemail switchover.toml"
    )
    init.add_argument("example", nargs="?", default="sip", help="sip (a pair of SIP Servers, the default) or voicemail")
    init.add_argument("file", nargs="?", help="default: switchover.toml; never overwritten")
    init.add_argument("--wiring", choices=WIRINGS, help=f"how voicemail's alarms are wired; default: {WIRINGS[0]}")
    check = add("check", commands.check, "check a configuration", "switchover check switchover.toml")
    check.add_argument("file", nargs="?", default=DEFAULT_CONFIGURATION, help="the configuration; default: %(default)s")
    configured(
        add("keys", commands.keys, "make the keys of the agent and of every host", "switchover keys -c switchover.toml")
    )
    agent = configured(
        add("agent", commands.agent, "run the agent, on the SCS side", "switchover agent -c switchover.toml")
    )
    lca = configured(add("lca", commands.lca, "run the LCA, on a host", "switchover lca host1 -c switchover.toml"))
    lca.add_argument("host", help="the host's name in the configuration")
    page = configured(
        add("page", lazily("page.server", "run_page", "page"), "serve the live web page", "switchover page")
    )
    for daemon in (agent, lca, page):
        daemon.add_argument("--quiet", action="store_true", help="log warnings only")
        daemon.add_argument(
            "--log-format",
            choices=logs.FORMATS,
            default=logs.TEXT,
            help="json: one object per line; default: %(default)s",
        )
    agent.add_argument("--observe", action="store_true", help="give no commands; journal what would have been done")
    lca.add_argument("--observe", action="store_true", help="only report; touch neither the VIP nor applications")
    status = configured(
        add(
            "status",
            commands.status,
            "show the state of the solution, as the agent knows it",
            "switchover status --json",
        )
    )
    how = status.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print JSON, for programs")
    how.add_argument("--watch", action="store_true", help="show it live in this terminal, until Ctrl-C")
    switch = configured(
        add(
            "switch", commands.switch, "make an application, or all those of a host, primary", "switchover switch host2"
        )
    )
    switch.add_argument("to", metavar="NAME", help="an application of a redundant pair, or a host")
    for command in (
        add("start", commands.start, "start an application on its host", "switchover start RM_1"),
        add("stop", commands.stop, "stop an application on its host", "switchover stop RM_1"),
    ):
        configured(command).add_argument("application", help="its name in the configuration")
    event = configured(
        add("event", commands.event, "pass a log message on to the agent", "switchover event 00-5150 SIP_Server_2")
    )
    event.add_argument("id", help="the event id of the log message, such as 00-5150")
    event.add_argument("application", help="the application that the message is about")
    _add_questions(add, configured)
    diagram = add(
        "diagram",
        lazily("pictures.gallery", "run_diagram"),
        "draw the machines, the wiring and the workflows",
        "switchover diagram diagrams",
    )
    diagram.add_argument("directory", help="created if it does not exist; its README.md is the index")
    diagram.add_argument("-c", "--config", metavar="FILE", help="draw this solution; default: those of the documents")
    _add_installation(add, configured)
    _add_verification(add)
    lab = add(
        "lab",
        lazily("cli.lab", "run_lab"),
        "play the documented workflows on hosts made of network namespaces",
        "switchover lab failure reconnection --order enable-first",
    )
    lab.add_argument(
        "workflows",
        nargs="*",
        metavar="WORKFLOW",
        help="manual, failure, disconnected, reconnection (default: all); or voicemail and its scenarios (all)",
    )
    lab.add_argument("--json", action="store_true", help="print JSON, for programs: one object per workflow")
    lab.add_argument("--simulated", action="store_true", help="simulate the hosts; needs neither Linux nor root")
    lab.add_argument(
        "--order", choices=("together", "disable-first", "enable-first"), help="the VIP order; default: as documented"
    )
    lab.add_argument(
        "--wiring", default=WIRINGS[0], choices=WIRINGS, help="how voicemail's alarms are wired; default: %(default)s"
    )
    lab.add_argument(
        "--reactions", default="once", choices=("once", "literal"), help="literal: react as an SCS does; default: once"
    )
    lab.add_argument(
        "--detection-ms",
        type=int,
        default=100,
        metavar="MS",
        help="the detection time, 30 to 60000; default: %(default)s",
    )
    lab.add_argument("--repeat", type=int, default=1, metavar="N", help="play each workflow N times; default: 1")
    lab.add_argument("--keep-logs", metavar="DIRECTORY", help="copy the daemons' logs and the journal to it")
    return parser


def _add_installation(
    add: Callable[..., argparse.ArgumentParser],
    configured: Callable[[argparse.ArgumentParser], argparse.ArgumentParser],
) -> None:
    """The commands for installation."""
    units = add(
        "units",
        lazily("cli.units", "run_units"),
        "write the systemd units of the agent, the LCA and the page",
        "switchover units /etc/systemd/system --user switchover",
    )
    units.add_argument("directory", help="must exist; units in it that differ are not overwritten")
    units.add_argument(
        "--user", default="root", metavar="USER", help="the user that runs agent and page; default: %(default)s"
    )
    completion = configured(
        add("completion", _completion, "print the completion script of a shell", "switchover completion bash")
    )
    completion.add_argument(
        "what",
        choices=("bash", "zsh", "fish", "hosts", "applications", "switchable"),
        help="a shell; or names from the configuration, one per line, for which the scripts ask",
    )
    add(
        "manual", _manual, "show the manual page, or print it as roff if the output is no terminal", "switchover manual"
    )


def _add_questions(
    add: Callable[..., argparse.ArgumentParser],
    configured: Callable[[argparse.ArgumentParser], argparse.ArgumentParser],
) -> None:
    """The commands that explain what was done, or what would be done, and change nothing."""
    why = configured(
        add(
            "why",
            lazily("explain.why", "run_why"),
            "explain what was done in an incident, and why",
            "switchover why 262",
        )
    )
    why.add_argument("--all", action="store_true", help="list all incidents of the journal, one per line")
    plan = configured(
        add(
            "plan",
            lazily("explain.plan", "run_plan"),
            "show what would be done if something happened now; nothing is executed",
            "switchover plan 'fail SIP_Server_1' 'lose host2'",
        )
    )
    plan.add_argument(
        "event",
        nargs="+",
        help="'fail NAME', 'start NAME' (it is up again), 'switch NAME' (an application or a host), 'lose HOST', "
        "'return HOST', 'message ID NAME'; several happen one after another",
    )
    plan.add_argument("--journal", metavar="FILE", help="start from the end of this journal; no agent is asked")
    simulate = add(
        "simulate",
        lazily("cli.simulate", "run_simulate"),
        "play a script of faults, or faults by chance, on simulated hosts, in virtual time",
        "switchover simulate switchover.toml faults.txt",
    )
    simulate.add_argument("file", help="the configuration")
    simulate.add_argument("scenario", nargs="?", help="a script of faults: one per line, each with its time in ms")
    simulate.add_argument(
        "--seeds", type=int, metavar="N", help="instead: real agents and LCAs under faults by chance, N times"
    )
    simulate.add_argument("--first-seed", type=int, default=1, metavar="K", help="the first seed; default: 1")
    simulate.add_argument(
        "--minutes", type=float, default=2.0, metavar="M", help="for how long faults happen to each; default: 2"
    )
    simulate.add_argument(
        "--with",
        dest="with_kinds",
        action="append",
        default=[],
        metavar="KIND",
        help="with a kind of fault that shows a known fault of the programs",
    )
    simulate.add_argument("--without", action="append", default=[], metavar="KIND", help="without a kind of fault")
    simulate.add_argument("--records", metavar="DIRECTORY", help="keep the record of each failure there")
    simulate.add_argument("--journal", metavar="FILE", help="write the journal to it, for `switchover why`")
    report = configured(
        add(
            "report",
            lazily("cli.report", "run_report"),
            "write the report of an incident, as one HTML file",
            "switchover report 262 --output incident.html",
        )
    )
    report.add_argument("--output", metavar="FILE", help="default: incident-ID.html; - for standard output")
    for command in (why, plan, simulate):
        command.add_argument("--json", action="store_true", help="print JSON, for programs")
    for command in (why, report):
        command.add_argument(
            "incident", nargs="?", type=int, help="its number in the journal; default: the last incident"
        )
        command.add_argument("--journal", metavar="FILE", help="read this journal; default: the configured one")


def _add_verification(add: Callable[..., argparse.ArgumentParser]) -> None:
    """The commands that explore. Only the exploration itself needs numpy and numba, not the reading of the options."""
    from ..verify.model.host import Fault
    from ..verify.options import faults_in, kinds_in, memory_in

    verify = add(
        "verify",
        lazily("cli.verify", "run_verify", "verify"),
        "explore every interleaving of faults and report which properties hold",
        "switchover verify switchover.toml --faults 2 --save traces",
        VERIFY_EXIT_STATUS,
    )
    replay = add(
        "replay",
        lazily("cli.verify", "run_replay", "verify"),
        "replay a trace that `switchover verify --save` has written",
        "switchover replay traces/one-holder.json",
        "exit status: 0 it happens as recorded;\n  1 it does not;\n  2 not a trace, or bad usage",
    )
    replay.add_argument("trace", help="the trace's file, NAME.json")
    export = add(
        "export",
        lazily("cli.verify", "run_export", "verify"),
        "write the explored model for another model checker",
        "switchover export switchover.toml --promela --output model.pml",
        VERIFY_EXIT_STATUS,
    )
    export.add_argument(
        "--promela", action="store_true", required=True, help="write Promela, for SPIN (the only format)"
    )
    export.add_argument("--output", default="-", metavar="FILE", help="default: standard output")
    verify.add_argument("--json", action="store_true", help="print JSON, for programs")
    verify.add_argument("--save", metavar="DIRECTORY", help="write each trace to it, with its sequence diagram")
    verify.add_argument("--mutants", action="store_true", help="count the wrong tables that the properties detect")
    verify.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="how many processes, with --mutants"
    )
    verify.add_argument("--strict", action="store_true", help="judge every step, not only the end; takes longer")
    export.set_defaults(strict=False)
    for command, faults in ((verify, 2), (export, 1)):
        command.add_argument(
            "file", nargs="?", default=DEFAULT_CONFIGURATION, help="the configuration; default: %(default)s"
        )
        command.add_argument(
            "--faults", type=faults_in, default=faults, metavar="N", help="at most N faults; default: %(default)s"
        )
        command.add_argument(
            "--kinds",
            type=kinds_in,
            default="usual",
            metavar="KIND,...",
            help=f"only faults of these kinds: all, usual, {', '.join(Fault)}; default: %(default)s",
        )
        command.add_argument(
            "--memory",
            type=memory_in,
            default="4",
            metavar="GIB",
            help="the memory limit, in GiB; default: %(default)s",
        )


def _completion(options: argparse.Namespace) -> int:
    from .completion import run_completion
    from .usage import usage_of

    return run_completion(options, usage_of(_parser()))


def _manual(_: argparse.Namespace) -> int:
    from .manual import show
    from .usage import usage_of

    return show(usage_of(_parser()))
