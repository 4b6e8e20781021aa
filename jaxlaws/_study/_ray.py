"""The blocks of a study on a Ray cluster, which schedules, retries and spreads them."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from jaxlaws._study._folder import Folder
from jaxlaws._study._settings import Block, Settings

TRIES = 5  # times that a block is given to another worker after one died


def on_ray(
    settings: Settings, path: Path, todo: Sequence[Block], finished: Callable[[Block], None]
) -> None:
    """Have blocks computed by the workers of a cluster, which see the same folder.

    The cluster is the one that RAY_ADDRESS names or that runs here; else one is started on this
    machine.
    """
    import ray
    from ray import cloudpickle

    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=False, configure_logging=False)
    try:
        remote: Any = ray.remote(max_retries=TRIES)(_work)
        plan = ray.put(cloudpickle.dumps(settings))
        waiting = {remote.remote(plan, str(path.absolute()), b.index): b for b in todo}
        while waiting:
            (first, *_), _ = ray.wait(list(waiting))
            ray.get(first)
            finished(waiting.pop(first))
    finally:
        if started:
            ray.shutdown()


def _work(plan: bytes, path: str, index: int) -> None:
    from jaxlaws._study._run import work

    settings, blocks = _unpacked(plan)
    work(settings, Folder(Path(path)), blocks[index], lambda share: None)


@lru_cache(maxsize=2)
def _unpacked(plan: bytes) -> tuple[Settings, list[Block]]:
    """One Law per worker and study, so that compiled code is found again."""
    from ray import cloudpickle

    settings = cloudpickle.loads(plan)
    return settings, settings.blocks()
