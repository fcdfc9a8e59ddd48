"""`switchover completion`: completion scripts for bash, zsh and fish.

They are generated from the parser, so they know every command and option. The names of hosts and applications come from
the configuration on the command line, or else from the default one: a script runs `switchover completion hosts` to get
them. Without a valid configuration there are none.
"""

import argparse
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...fsm import LOG_MESSAGES
from ...fsm.documented.scenarios import SCENARIOS
from ...fsm.documented.workflows import WORKFLOWS
from ..configuration.examples import EXAMPLES
from ..configuration.load import ConfigurationError, load
from .usage import Argument, Usage

NAMES = ("hosts", "applications", "switchable")
"""The kinds of names that a script can ask for; `switchable` are those that `switchover switch` accepts."""

_FILES, _DIRECTORIES = "files", "directories"

_KINDS = {
    "FILE": _FILES,  # these two are values of options, the others names of positional arguments
    "DIRECTORY": _DIRECTORIES,
    "file": _FILES,
    "scenario": _FILES,
    "trace": _FILES,
    "directory": _DIRECTORIES,
    "host": "hosts",
    "application": "applications",
    "to": "switchable",
}
_WORDS = {"workflows": (*WORKFLOWS, "voicemail", *SCENARIOS), "example": EXAMPLES, "id": tuple(LOG_MESSAGES)}


def run_completion(options: argparse.Namespace, usage: Usage) -> int:
    """Print the script of a shell; or, for such a script, names from a configuration, one per line."""
    if options.what in NAMES:
        print("".join(f"{name}\n" for name in names(options.what, Path(options.config))), end="")
    else:
        print(SHELLS[options.what](usage), end="")
    return 0


def names(what: str, file: Path) -> tuple[str, ...]:
    """The names of one kind (see `NAMES`) in a configuration; none if it cannot be read or has mistakes."""
    try:
        configuration = load(file)
    except ConfigurationError:
        return ()
    topology = configuration.topology()
    members = tuple(name for pair in topology.pairs for name in pair.applications)
    return {
        "hosts": topology.hosts,
        "applications": topology.applications,
        "switchable": (*topology.hosts, *members),
    }[what]


def _words(argument: Argument) -> tuple[str, ...]:
    """The possible values of an argument, if they are known in advance."""
    return argument.choices or _WORDS.get(argument.name, ())


def _kind(argument: Argument) -> str:
    """The kind of its values otherwise: files, directories, one of `NAMES`, or "" for anything."""
    return _KINDS.get(argument.value) or ("" if argument.flags else _KINDS.get(argument.name, ""))


def _options(command: Usage) -> list[Argument]:
    return [argument for argument in command.arguments if argument.flags]


def _positionals(command: Usage) -> list[Argument]:
    return [argument for argument in command.arguments if not argument.flags]


# bash


def bash(usage: Usage) -> str:
    """A script for bash 4.1 or newer, to be sourced."""
    return _BASH.replace("@commands@", " ".join(command.name for command in usage.commands)).replace(
        "@cases@", "\n".join(line for command in usage.commands for line in _bash_command(command))
    )


def _bash_command(command: Usage) -> Iterator[str]:
    options = _options(command)
    flags = [flag for option in options for flag in option.flags]
    valued = [flag for option in options if option.value for flag in option.flags]
    yield f"    {command.name})"
    yield f"        _switchover_place {' '.join(valued)}"
    yield "        case $place in"
    for option in options:
        if option.value:
            yield f"        {'|'.join(option.flags)}) {_bash_offer(option)} ;;"
    yield f"        option) _switchover_offer {' '.join(flags)} ;;"
    for number, argument in enumerate(_positionals(command), start=1):
        yield f"        {'*' if argument.is_many else number}) {_bash_offer(argument)} ;;"
    yield "        esac ;;"


def _bash_offer(argument: Argument) -> str:
    if words := _words(argument):
        return f"_switchover_offer {shlex.join(words)}"
    kind = _kind(argument)
    return f"_switchover_names {kind}" if kind in NAMES else f"_switchover_{kind}" if kind else ":"


_BASH = """\
# Completion of `switchover` for bash, written by `switchover completion bash`.

_switchover_offer() {
    local word
    for word; do
        [[ $word == "$typed"* ]] && COMPREPLY+=("$(printf %q "$word")")
    done
}

_switchover_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$typed")
}

_switchover_directories() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -d -- "$typed")
}

# The names in the configuration on the command line, or in the default one.
_switchover_names() {
    local number names config=()
    for ((number = 2; number < ${#COMP_WORDS[@]} - 1; number++)); do
        case ${COMP_WORDS[number]} in
        -c | --config) config=(--config "${COMP_WORDS[number + 1]}") ;;
        esac
    done
    mapfile -t names < <("${COMP_WORDS[0]}" completion "$1" "${config[@]}" 2>/dev/null)
    _switchover_offer "${names[@]}"
}

# The place of the word that is being typed: the option before it, if that takes a value ("$@"); `option`, if it is an
# option itself; otherwise its number among the positional arguments.
_switchover_place() {
    local number before=${COMP_WORDS[COMP_CWORD - 1]}
    place=1
    for ((number = 2; number < COMP_CWORD; number++)); do
        if [[ " $* " == *" ${COMP_WORDS[number]} "* ]]; then
            ((number++))
        elif [[ ${COMP_WORDS[number]} != -* ]]; then
            ((place++))
        fi
    done
    if [[ " $* " == *" $before "* ]]; then
        place=$before
    elif [[ $typed == -* ]]; then
        place=option
    fi
}

_switchover() {
    local place typed=${COMP_WORDS[COMP_CWORD]//\\\\/}
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _switchover_offer --help @commands@
        return
    fi
    case ${COMP_WORDS[1]} in
@cases@
    esac
}

complete -F _switchover switchover
"""


# zsh


def zsh(usage: Usage) -> str:
    """A function for zsh, to be saved as `_switchover` in a directory of `$fpath`."""
    commands = "\n".join(
        f"            {_zsh_quoted(f'{command.name}:{_brief(command)}')}" for command in usage.commands
    )
    cases = "\n".join(line for command in usage.commands for line in _zsh_command(command))
    return _ZSH.replace("@commands@", commands).replace("@cases@", cases)


def _zsh_command(command: Usage) -> Iterator[str]:
    specifications: list[str] = []
    for option in _options(command):
        others = f"({' '.join(option.flags)})" if len(option.flags) > 1 else ""
        text = f"[{_zsh_text(option.help)}]"
        value = f":{option.value.lower()}:{_zsh_action(option)}" if option.value else ""
        specifications += [f"{others}{flag}{text}{value}" for flag in option.flags]
    for number, argument in enumerate(_positionals(command), start=1):
        place = "*" if argument.is_many else str(number)
        optional = ":" if argument.is_optional and not argument.is_many else ""
        specifications.append(f"{place}:{optional}{_zsh_text(argument.name)}:{_zsh_action(argument)}")
    yield f"        {command.name})"
    yield "            _arguments \\"
    yield from (f"                {_zsh_quoted(text)} \\" for text in specifications[:-1])
    yield f"                {_zsh_quoted(specifications[-1])} ;;"


def _zsh_action(argument: Argument) -> str:
    if words := _words(argument):
        return f"({' '.join(words)})"
    kind = _kind(argument)
    if kind in NAMES:
        return f"_switchover_names {kind}"
    return {_FILES: "_files", _DIRECTORIES: "_files -/"}.get(kind, " ")


def _zsh_text(text: str) -> str:
    for special in "\\[]:":
        text = text.replace(special, f"\\{special}")
    return text


def _zsh_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


_ZSH = """\
#compdef switchover
# Completion of `switchover` for zsh, written by `switchover completion zsh`.

# The names in the configuration on the command line, or in the default one. The last argument is their kind; those
# before it are options for compadd.
_switchover_names() {
    local config=${(Q)${opt_args[--config]:-$opt_args[-c]}}
    local -a names
    names=(${(f)"$(switchover completion $@[-1] ${config:+--config} $config 2>/dev/null)"})
    compadd "$@[1,-2]" -a names
}

_switchover() {
    local curcontext=$curcontext state
    local -a commands line
    typeset -A opt_args
    _arguments -C '(- *)'{-h,--help}'[show the commands and exit]' '1: :->command' '*:: :->argument'
    case $state in
    command)
        commands=(
@commands@
        )
        _describe command commands ;;
    argument)
        case $words[1] in
@cases@
        esac ;;
    esac
}

if [[ $funcstack[1] == _switchover ]]; then
    _switchover "$@"
else
    compdef _switchover switchover
fi
"""


# fish


def fish(usage: Usage) -> str:
    """A script for fish, to be saved as `switchover.fish` in a directory of `$fish_complete_path`."""
    lines = [_FISH]
    for command in usage.commands:
        lines.append(_fish("__fish_use_subcommand", ("-a", command.name), _brief(command)))
    for command in usage.commands:
        here = f"__fish_seen_subcommand_from {command.name}"
        lines += [_fish(here, _fish_option(option), option.help) for option in _options(command)]
        lines += [_fish(here, offer, each.name) for each in _positionals(command) if (offer := _fish_offer(each))]
    return "\n".join(lines) + "\n"


def _fish(condition: str, words: Iterable[str], description: str) -> str:
    return " ".join(
        [
            "complete -c switchover -n",
            _fish_quoted(condition),
            *map(_fish_quoted, words),
            "-d",
            _fish_quoted(description),
        ]
    )


def _fish_option(option: Argument) -> list[str]:
    words: list[str] = []
    for flag in option.flags:
        words += ["-l", flag[2:]] if flag.startswith("--") else ["-s", flag[1:]]
    offer = _fish_offer(option)
    takes = [] if not option.value else ["-r"] if offer == ["-F"] else ["-x"]
    return [*words, *takes, *offer]


def _fish_offer(argument: Argument) -> list[str]:
    if words := _words(argument):
        return ["-a", " ".join(words)]
    kind = _kind(argument)
    if kind in NAMES:
        return ["-a", f"(__switchover_names {kind})"]
    return {_FILES: ["-F"], _DIRECTORIES: ["-a", "(__fish_complete_directories)"]}.get(kind, [])


def _fish_quoted(text: str) -> str:
    if text.replace("-", "").isalnum():
        return text
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_FISH = """\
# Completion of `switchover` for fish, written by `switchover completion fish`.

# The names in the configuration on the command line, or in the default one.
function __switchover_names
    set -l words (commandline -opc)
    set -l config
    for number in (seq 2 (math (count $words) - 1))
        if contains -- $words[$number] -c --config
            set config --config $words[(math $number + 1)]
        end
    end
    switchover completion $argv[1] $config 2>/dev/null
end

complete -c switchover -f
complete -c switchover -s h -l help -d 'show the commands and exit'"""


def _brief(command: Usage) -> str:
    return command.description.rstrip(".")


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}
