"""What callers notice of each voicemail scenario at 50 calls a second, and what the other wirings cost. Needs root.

    .venv/bin/python tests/benchmarks/voicemail.py [RUNS]

Nothing is asserted: on another machine, or a busy one, the figures are others. A scenario is ok if every documented
step and the end state were seen, each VIP script ran once, and no call failed. The outage is that of a client that asks
every millisecond; a call is broken if it was up on what died.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable

from switchover.agent.lab.player import playable

WIRINGS = ("documented", "vip-on-vm-server")


def play(names: list[str], runs: int, *options: str) -> list[dict]:
    command = [sys.executable, "-m", "switchover.agent", "lab", "voicemail", *names, "--json", "--repeat", str(runs)]
    done = subprocess.run([*command, *options], stdout=subprocess.PIPE, check=False)  # noqa: S603  # our own command
    return json.loads(done.stdout)


def median_and_worst(values: list[float]) -> str:
    return f"{statistics.median(values):10.1f} {max(values):8.1f}" if values else f"{'none':>10} {'none':>8}"


def first_calls(outcomes: list[dict]) -> list[float]:
    return [o["calls"]["first_success_ms"] for o in outcomes if o["calls"]["first_success_ms"] is not None]


def scenarios(runs: int) -> None:
    outcomes = play(list(playable("voicemail")), runs)
    print(f"{'':<21} {'':>7} {'outage ms':>19}  {'calls':>6} {'':>6} {'':>6} {'sent':>6}  {'first call ms':>19}")
    print(
        f"{'scenario':<21} {'ok':>7} {'median':>10} {'worst':>8}  {'made':>6} {'failed':>6} {'broken':>6} {'again':>6}",
        end="",
    )
    print(f"  {'median':>10} {'worst':>8}")
    for name in dict.fromkeys(outcome["workflow"] for outcome in outcomes):
        of_name = [outcome for outcome in outcomes if outcome["workflow"] == name]
        ok = f"{sum(outcome['ok'] for outcome in of_name)} of {len(of_name)}"
        outage = median_and_worst([outcome["outage_ms"] for outcome in of_name])
        counted = ("attempted", "failed", "broken", "retransmissions")
        counts = " ".join(f"{sum(outcome['calls'][what] for outcome in of_name):6}" for what in counted)
        print(f"{name:<21} {ok:>7} {outage}  {counts}  {median_and_worst(first_calls(of_name))}")


def late_vip(runs: int) -> None:
    """The SIP Server fails, and the VIP waits for the VM Server."""
    outcomes = {wiring: play(["vm-sip-server"], runs, "--wiring", wiring) for wiring in WIRINGS}
    figures: dict[str, Callable[[list[dict]], list[float]]] = {
        "outage ms": lambda runs: [outcome["outage_ms"] for outcome in runs],
        "first call answered after ms": first_calls,
        "calls answered after a retransmission only": lambda runs: [outcome["calls"]["delayed"] for outcome in runs],
    }
    print(f"\n{'vm-sip-server: the VIP scripts hang on':<45} {'the VM SIP Server':>19}  {'the VM Server':>19}")
    print(f"{'(median and worst)':<45} {'(documented)':>19}  {'(vip-on-vm-server)':>19}")
    for what, figure in figures.items():
        print(f"{what:<45} {'  '.join(median_and_worst(figure(outcomes[wiring])) for wiring in WIRINGS)}")


def needless_scripts(runs: int) -> None:
    """A Resource Manager fails on the host that serves nobody."""
    print(
        f"\n{'backup-rm: VIP scripts that ran':<45} {'enable_vip':>10}  {'disable_vip':>11}  {'frames announced':>16}"
    )
    for wiring in ("documented", "vip-on-monitored"):
        outcomes = play(["backup-rm"], runs, "--wiring", wiring, "--reactions", "literal")
        ran = [
            sum(scripts[name] for o in outcomes for scripts in o["scripts"].values())
            for name in ("enable_vip", "disable_vip")
        ]
        frames = sum(outcome["gratuitous_arps"] for outcome in outcomes)
        print(f"{f'{wiring}, {runs} runs':<45} {ran[0]:>10}  {ran[1]:>11}  {frames:>16}")


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    print(f"{runs} runs, 50 calls/s, {os.cpu_count()} cores, load average {load} before\n", flush=True)
    scenarios(runs)
    late_vip(runs)
    needless_scripts(runs)


if __name__ == "__main__":
    main()
