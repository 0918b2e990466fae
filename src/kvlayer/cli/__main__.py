"""`python -m kvlayer.cli` is `kvlayer`."""

import sys

from kvlayer.cli import main

if __name__ == "__main__":
    sys.exit(main())
