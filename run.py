"""The door from a clone: ``python run.py scenes/quickstart.yaml``."""

import sys

from mitsuba_mei.cli import main

sys.exit(main())
