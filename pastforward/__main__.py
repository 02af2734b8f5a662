"""L6. `python -m pastforward`, which is what torchrun starts."""

import sys

from pastforward.cli import main

sys.exit(main())
