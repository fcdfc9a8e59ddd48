"""How a daemon begins: it survives a hangup, reads its configuration and begins to log."""

import argparse
import logging

from ..configuration.load import check
from ..configuration.settings import Configuration
from . import logs
from .signals import outlive_hangup


def begin(options: argparse.Namespace) -> Configuration:
    """The configuration that `--config` names; its warnings are logged. Raises `ConfigurationError`."""
    outlive_hangup()
    configuration, warnings = check(options.config)
    logs.configure(options.log_format, quiet=options.quiet, in_background=True)
    for warning in warnings:
        logging.getLogger("switchover").warning("%s", warning)
    return configuration
