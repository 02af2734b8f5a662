"""By torchrun: the command line, with labels in small chunks."""

import os
import sys

from pastforward.cli.main import main
from pastforward.runs import labelling

labelling.CHUNK_BYTES = 1700
code = main(sys.argv[1:])
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)
