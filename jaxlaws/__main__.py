"""`python -m jaxlaws` is `jaxlaws`."""

import sys

from jaxlaws._cli import main

if __name__ == "__main__":
    sys.exit(main())
