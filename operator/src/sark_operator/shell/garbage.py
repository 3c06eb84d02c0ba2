"""How often Python looks for garbage in circles: seldom, for next to nothing of ours is.

An answer about a thousand rollouts is some hundred thousand objects that all live until it has been read. By default Python
looks through the young ones after every 700, through all of them again and again while they become more, and finds nothing:
reading such an answer took three to six times as long.
"""

from __future__ import annotations

import gc
from typing import Final

YOUNG: Final = 10_000
"""New objects after which it looks among them."""
_SECOND: Final = 20
_ALL: Final = 50


def look_seldom() -> None:
    """Set it up for this process, once everything is loaded: that is never garbage, and is not looked at any more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, _SECOND, _ALL)
