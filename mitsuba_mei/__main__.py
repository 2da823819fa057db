"""``python -m mitsuba_mei``: the command line."""

import sys

from .cli import main

sys.exit(main())
