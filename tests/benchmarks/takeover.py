"""How fast a takeover is: every workflow in the lab, repeated, as medians. Needs root; run on demand.

    .venv/bin/python tests/benchmarks/takeover.py [RUNS]

Each figure has its goal beside it. Nothing is asserted: on another machine, or a busy one, the figures are others.
"""

import json
import statistics
import subprocess
import sys

DETECTION_MS = 100

# VIP order, workflow, figure, goal (as a median), and what the goal is about
GOALS = [
    ("together", "manual", "outage_ms", 10.0, "manual switchover, documented order"),
    ("together", "failure", "outage_ms", 10.0, "process failure"),
    ("together", "disconnected", "outage_ms", DETECTION_MS + 10.0, "host disconnected: detection time + 10 ms"),
    ("together", "reconnection", "two_holders_ms", 150.0, "two reachable holders after a reconnection"),
    ("enable-first", "manual", "lost", 0.0, "requests lost in a manual switchover, enable-first"),
]


def play(order: str, runs: int) -> list[dict]:
    workflows = sorted({workflow for goal_order, workflow, *_ in GOALS if goal_order == order})
    command = [sys.executable, "-m", "switchover.agent", "lab", "--json", *workflows]
    command += ["--order", order, "--repeat", str(runs), "--detection-ms", str(DETECTION_MS)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)  # noqa: S603  # our own command
    outcomes = json.loads(done.stdout)
    wrong = [outcome for outcome in outcomes if not outcome["ok"]]
    # A run also deviates if the client's ARP cache or last answer is not the new primary's.
    print(f"{order}: {len(outcomes)} runs, {len(wrong)} not as documented")
    return outcomes


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    outcomes = {order: play(order, runs) for order in sorted({goal[0] for goal in GOALS}, reverse=True)}
    print(f"\n{'what':<55} {'goal':>8} {'median':>8} {'min':>8} {'max':>8}")
    for order, workflow, figure, goal, what in GOALS:
        values = [outcome[figure] for outcome in outcomes[order] if outcome["workflow"] == workflow]
        numbers = (goal, statistics.median(values), min(values), max(values))
        print(f"{what:<55} {' '.join(f'{number:8.1f}' for number in numbers)}")


if __name__ == "__main__":
    main()
