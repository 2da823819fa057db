"""The door from a clone: ``python run.py scenes/quickstart.yaml``."""

import sys

from mitsuba_mei.cli import main

if __name__ == "__main__":  # processes that this one starts read the file again
    sys.exit(main())
