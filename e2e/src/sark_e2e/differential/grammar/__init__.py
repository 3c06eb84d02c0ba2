"""Random policies: all kinds of rules and expressions, over so few words that guards are hit and definitions overlap."""

from .call import calls
from .guard import guards
from .merged import merged
from .module import policy
from .numeral import numerals
from .overlap import overlap
from .replaced import replaced
from .tangle import tangle

__all__ = ["calls", "guards", "merged", "numerals", "overlap", "policy", "replaced", "tangle"]
