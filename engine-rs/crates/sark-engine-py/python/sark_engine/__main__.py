"""`python -m sark_engine`: ask and check policies by hand."""

from sark_engine._command import main

if __name__ == "__main__":
    raise SystemExit(main())
