"""Views made into HTML."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from .assets import Assets

_ICONS = {"good": "✓", "busy": "●", "warn": "!", "bad": "✕", "idle": "○"}


class Pages:
    """The templates."""

    def __init__(self, assets: Assets) -> None:
        self._environment = Environment(
            loader=PackageLoader(__package__, "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals["asset"] = assets.href
        self._environment.globals["icon"] = _ICONS.__getitem__
        self._environment.filters["time"] = shown_time

    def render(self, template: str, **values: Any) -> str:
        """Return a template filled with `values`."""
        return self._environment.get_template(template).render(values)


def shown_time(at: datetime, *, relative: bool = True) -> Markup:
    """Return a time in UTC; the browser says beside it how long ago that is."""
    utc = at.astimezone(UTC)
    full = f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    mark = Markup(" data-relative") if relative else Markup("")
    return Markup('<time datetime="{}"{} title="{}">{}</time>').format(f"{utc:%Y-%m-%dT%H:%M:%SZ}", mark, full, escape(full))
