"""The examples in the docstrings run, and print what they say."""

import doctest
from importlib import import_module

import pytest
from support.examples import modules_with_examples
from switchover import agent, drivers


@pytest.mark.parametrize("name", [*modules_with_examples(drivers), *modules_with_examples(agent)])
def test_the_examples_in_a_docstring_hold(name):
    result = doctest.testmod(import_module(name))

    assert (result.failed, result.attempted > 0) == (0, True)
