"""python -m study.site."""

import sys

from study.site.build import main

if __name__ == "__main__":
    sys.exit(main())
