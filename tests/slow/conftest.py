"""What needs a quiet machine and minutes is asked for: NNBENCH_SLOW=1, as `tox run -e slow` sets it."""

import os

if os.environ.get("NNBENCH_SLOW") != "1":
    collect_ignore_glob = ["*"]
