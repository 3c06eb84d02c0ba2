"""Random policies: all kinds of rules and expressions, over so few words that guards are hit and definitions overlap."""

from .call import calls
from .module import policy
from .tangle import tangle

__all__ = ["calls", "policy", "tangle"]
