"""A script played on simulated hosts in virtual time, so that times never differ."""

from pathlib import Path

from switchover.agent.configuration.examples import example_text
from switchover.agent.configuration.load import load
from switchover.agent.configuration.settings import Configuration
from switchover.agent.simulation.scenario import read_scenario
from switchover.agent.simulation.simulate import Simulated, simulate


def example(directory: Path, name: str) -> Configuration:
    """The example configuration of this name, as `switchover init` writes it."""
    file = directory / f"{name}.toml"
    file.write_text(example_text(name))
    return load(file)


def played(directory: Path, name: str, *lines: str) -> Simulated:
    """A script, played on the example of this name; the journal is `journal.sqlite` in the directory."""
    configuration, script = example(directory, name), directory / "script.txt"
    script.write_text("\n".join(lines))
    acts = read_scenario(script, configuration.topology())
    return simulate(configuration, script.name, acts, directory / "journal.sqlite")
