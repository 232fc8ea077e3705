"""The guide's door: the program itself is `feebridge`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from application.cli.main import main

sys.exit(main())
