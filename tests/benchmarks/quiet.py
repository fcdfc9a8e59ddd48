"""How quiet the agent is without a fault: some minutes in the lab with every core loaded. Needs root; run on demand.

    .venv/bin/python tests/benchmarks/quiet.py [MINUTES [DETECTION_MS]]

Counts how often a host fell silent (half the detection time) and how often one was given up, which is a takeover for
no reason. The load is one busy loop a core, at ordinary priority, for as long as the benchmark runs.
"""

import asyncio
import os
import sys
from collections import Counter

from switchover.agent.history.journal import read
from switchover.agent.lab.network.namespaces import enter, is_inside, prepare
from switchover.agent.lab.real_stage import RealStage
from switchover.agent.lab.settings import LabSettings


async def watch(minutes: float, detection_ms: int) -> None:
    stage = RealStage(prepare(), LabSettings(detection_ms))
    try:
        await stage.start()
        await asyncio.sleep(3)  # until the pair has its first primary
        before = max(number for number, _ in read(stage.journal))
        loops = [
            await asyncio.create_subprocess_exec(sys.executable, "-c", "while True: pass")
            for _ in range(os.cpu_count() or 1)
        ]
        await asyncio.sleep(60 * minutes)
        for loop in loops:
            loop.kill()
        counts = Counter(entry.text.split()[0] for _, entry in read(stage.journal, before))
        print(f"{minutes:g} minutes, detection {detection_ms} ms, every core loaded:")
        print(f"  a host fell silent {counts['silent']} times, was heard again {counts['heard']} times")
        print(f"  hosts given up: {counts['lost']}")
        print(f"  takeovers without a fault: {counts['promote']} promotions, {counts['enable_vip']} moves of the VIP")
    finally:
        await stage.close()


def main() -> int:
    arguments = sys.argv[1:]
    if not is_inside():
        return enter([sys.executable, __file__, *arguments])
    asyncio.run(watch(float(arguments[0]) if arguments else 10.0, int(arguments[1]) if arguments[1:] else 100))
    return 0


if __name__ == "__main__":
    sys.exit(main())
