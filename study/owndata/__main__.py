"""python -m study.owndata DIR/NAME."""

import sys

from study.owndata.check import main

if __name__ == "__main__":
    sys.exit(main())
