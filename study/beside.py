"""Something done again and again while the main thread works: a progress line, a sign of life."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def repeated(action: Callable[[], None], seconds: float) -> Iterator[None]:
    """Call `action` in a thread of its own every so many seconds, until the block ends.

    The first call is after that time, and none is made or goes on after the block.
    """
    stop = threading.Event()

    def follow() -> None:
        while not stop.wait(seconds):
            action()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
