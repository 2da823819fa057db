"""The door from a clone: ``python run.py scenes/quickstart.yaml``."""

import sys

if __name__ == "__main__":  # processes that this one starts read the file again
    try:
        from mitsuba_mei.cli import main
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(main())
