"""``python -m mitsuba_mei``: the command line."""

import sys

from .door import main

sys.exit(main())
