"""A fresh process of the self-test: a request as JSON on stdin, its answer as JSON on stdout."""

from __future__ import annotations

import json
import sys

from nnbench.selftest.block import Request, answer

if __name__ == "__main__":
    json.dump(answer(Request(**json.load(sys.stdin))), sys.stdout)
