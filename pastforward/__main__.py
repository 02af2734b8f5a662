"""L7. `python -m pastforward`, which is what torchrun starts."""

import os
import sys

from pastforward.cli.main import main

code = main()
if "RANK" in os.environ:
    # Now and then torch's threads abort while the interpreter of a rank closes; all is written.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
sys.exit(code)
