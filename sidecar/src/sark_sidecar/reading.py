"""Reading an HTTP answer without trusting its size."""

from __future__ import annotations

import aiohttp


class AnswerTooLarge(ValueError):  # noqa: N818 - says it all
    """The answer is longer than its reader allows."""


async def read_at_most(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """Return the body of `answer`.

    Raises:
        AnswerTooLarge: it has more than `limit` bytes; the rest is not read.
    """
    if (answer.content_length or 0) > limit:
        raise AnswerTooLarge(f"the answer has {answer.content_length} bytes; at most {limit} are read")
    parts: list[bytes] = []
    size = 0
    async for part in answer.content.iter_any():
        size += len(part)
        if size > limit:
            raise AnswerTooLarge(f"the answer has more than {limit} bytes")
        parts.append(part)
    return b"".join(parts)
