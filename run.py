"""The door from a clone: ``python run.py scenes/quickstart.yaml``."""

import sys

if __name__ == "__main__":  # processes that this one starts read the file again
    from mitsuba_mei.__main__ import main

    sys.exit(main())
