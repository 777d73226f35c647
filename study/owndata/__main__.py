"""python -m study.owndata DIR/NAME."""

import sys

from scnlib.commandline import end_in_silence, hear_ctrl_c

if __name__ == "__main__":
    end_in_silence()  # while what follows loads
    from study.owndata.check import main

    hear_ctrl_c()
    sys.exit(main())
