"""Fresh processes, and what they are measured by."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.peers import environment


def fresh(call: str, *values: Any, cores: int | None = None, **variables: str) -> Any:
    """What a function of the benchmarks returns in a process of its own, without compiled code.

    Args:
        call: "module:function" within `benchmarks`.
        values: Arguments that JSON can hold.
        cores: How many cores the process may use; None for all.
        variables: Further environment variables.
    """
    module, function = call.split(":")
    code = (
        "import json, os, sys\n"
        f"cores = {cores!r}\n"
        "if cores: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])\n"
        "import jax; jax.config.update('jax_enable_x64', True)\n"
        f"from benchmarks.{module} import {function} as function\n"
        "print(json.dumps(function(*json.loads(sys.argv[1])), default=float))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, json.dumps(values)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=environment(ours=True) | variables,
    )
    return json.loads(done.stdout.splitlines()[-1])


def peak() -> float:
    """Peak memory of this process, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def cores() -> Sequence[int]:
    """The cores this process may use."""
    return sorted(os.sched_getaffinity(0))
