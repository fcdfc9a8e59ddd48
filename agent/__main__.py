"""`python -m switchover.agent` is the same as `switchover`."""

import sys

from .cli.main import main

sys.exit(main())
