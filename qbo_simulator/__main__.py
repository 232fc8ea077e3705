"""Start the simulator: `python -m qbo_simulator --port N`."""

import sys

from qbo_simulator.app import main

sys.exit(main(sys.argv[1:]))
