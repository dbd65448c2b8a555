"""``python -m nnbench`` is the ``nnbench`` command."""

import sys

from nnbench.cli import main

if __name__ == "__main__":
    sys.exit(main())
