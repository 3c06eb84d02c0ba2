"""`DecisionPoint`: ask for decisions inside the application."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self
from weakref import WeakKeyDictionary, WeakSet

from sark_engine import PathError, Server

from sark_client import BusyError, ClosedError, Decision, DecisionError, QuestionError, decision_in, refusal
from sark_sidecar import service
from sark_sidecar.configuration import ConfigurationError, load_settings, settings_of
from sark_sidecar.logs import log_through_application
from sark_sidecar.settings import Settings

from .mailroom import Mailroom, Told
from .running import Running
from .texts import ABSENT, answer_members, question_body

Configuration = Settings | Mapping[str, Any] | str | os.PathLike[str] | None
"""Settings, the sections of the configuration as dicts, the name of its file, or None: what SARK_SIDECAR_CONFIG names."""
_OK = 200


class StartError(DecisionError):
    """The decision point cannot be opened; the message says why."""


class ForkedError(ClosedError):
    """The decision point was opened before a fork, and this is the child."""


class DecisionPoint:
    """Decides as a sidecar does, on a thread of its own and for any number of threads and event loops.

    It opens nothing until `open` (or `with`, or `async with`). Every method is thread-safe.
    """

    def __init__(self, configuration: Configuration = None, *, path: str | None = None) -> None:
        """Read the configuration; `path` is asked when a question names none.

        Raises:
            StartError: the configuration is refused.
        """
        try:
            self._settings = _settings(configuration)
        except ConfigurationError as error:
            raise StartError(f"configuration refused: {error}") from error
        self._path = path
        self._opening = threading.Lock()
        self._running: Running | None = None
        self._server: Server | None = None
        self._mailrooms: WeakKeyDictionary[asyncio.AbstractEventLoop, Mailroom] = WeakKeyDictionary()
        self._forked = False
        self._process = os.getpid()
        _POINTS.add(self)

    @property
    def is_open(self) -> bool:
        """Whether it decides."""
        self._notice_fork()
        return self._server is not None and self._running is not None and self._running.is_alive

    def open(self, timeout: float = 60.0) -> Self:
        """Start, and return it once policies are compiled and flags are known. Blocks; in a coroutine use `async with`.

        Raises:
            StartError: it cannot be started, is not ready after `timeout` seconds, or is open already.
        """
        self._notice_fork()
        with self._opening:
            if self.is_open:
                raise StartError("the decision point is open already")
            log_through_application()
            running = Running(self._settings)
            try:
                server = running.start(timeout)
            except service.StartError as error:
                raise StartError(str(error)) from error
            self._running, self._server, self._forked = running, server, False
        return self

    def close(self) -> None:
        """Answer what is under way, and end. Whoever asks afterwards gets ClosedError."""
        self._notice_fork()
        with self._opening:
            self._server, running = None, self._running
            self._running = None
            if running is not None:
                running.stop()

    def decide(self, document: Any = ABSENT, *, path: str | None = None, subject: str | None = None) -> Decision:
        """Return the decision about `document`, the policy's input: what JSON can hold, or its text as bytes.

        Blocks the calling thread, with the GIL released, unless the decision is kept in process. `subject` says whose question
        it is, where that is not to be found in the input; an empty one counts as none.

        Raises:
            QuestionError: the path, the input or the subject is refused.
            NoDecisionError: no decision came of it; BusyError when it can be tried again in a moment.
            ClosedError: the decision point is not open.
        """
        server = self._server
        if server is None:
            raise self._closed()
        asked = self._asked(path)
        try:
            told = server.ask(asked, question_body(document), subject)
        except (PathError, UnicodeEncodeError) as error:
            raise _refused(error) from error
        return self._decided(told, asked)

    async def decide_async(self, document: Any = ABSENT, *, path: str | None = None, subject: str | None = None) -> Decision:
        """As `decide`, without blocking the event loop."""
        server = self._server
        if server is None:
            raise self._closed()
        asked = self._asked(path)
        try:
            told = await self._mailroom().ask(server, asked, question_body(document), subject)
        except (PathError, UnicodeEncodeError) as error:
            raise _refused(error) from error
        return self._decided(told, asked)

    def _decided(self, told: Told, asked: str) -> Decision:
        """Return the decision. One that is not given because the end has come, or in a child, is not to be tried again.

        The server itself knows of every fork, so the process is looked at only here: that is a system call.
        """
        try:
            return _decision(told, asked)
        except BusyError as error:
            if not self.is_open:
                raise self._closed() from error
            raise

    def _mailroom(self) -> Mailroom:
        loop = asyncio.get_running_loop()
        mailroom = self._mailrooms.get(loop)
        if mailroom is None:
            self._mailrooms[loop] = mailroom = Mailroom()
        return mailroom

    def _asked(self, path: str | None) -> str:
        asked = self._path if path is None else path
        if asked is None:
            raise QuestionError("no path: name one with the question, or for all of them when the DecisionPoint is made")
        return asked

    def _closed(self) -> ClosedError:
        if self._forked:
            return ForkedError(
                "the decision point was opened before a fork, and its threads are not in this process; open it in the child "
                "(with gunicorn in post_fork, or without preload_app; with uWSGI in postfork, or with lazy-apps)"
            )
        if self._running is not None and self._running.problem:
            return ClosedError(f"the decision point has ended: {self._running.problem}")
        return ClosedError("the decision point is not open")

    def _notice_fork(self) -> None:
        """In a child, leave the parent's threads behind. Python is not told of every fork: uWSGI forks without a word."""
        process = os.getpid()
        if process != self._process:
            # A lock of this process alone: any other may be held by a thread that was not forked.
            with _NOTICING.setdefault(process, threading.Lock()):
                if process != self._process:
                    self._leave_behind()

    def _leave_behind(self) -> None:
        """In a child: its threads are gone, and locks may be held for ever by what they were doing. Touch nothing of it."""
        if self._running is not None:
            _LEFT_BEHIND.append((self._running, self._server, self._mailrooms))
            self._forked = True
        self._running, self._server, self._mailrooms = None, None, WeakKeyDictionary()
        self._opening = threading.Lock()
        self._process = os.getpid()

    def __enter__(self) -> Self:
        """Open it."""
        return self.open()

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    async def __aenter__(self) -> Self:
        """Open it without blocking the event loop."""
        return await asyncio.to_thread(self.open)

    async def __aexit__(self, *_: object) -> None:
        """Close it without blocking the event loop."""
        await asyncio.to_thread(self.close)
        mailroom = self._mailrooms.pop(asyncio.get_running_loop(), None)
        if mailroom is not None:
            mailroom.close()


def _refused(error: Exception) -> QuestionError:
    if isinstance(error, UnicodeEncodeError):
        return QuestionError("the path or the subject is a text that is not Unicode: it has half of a surrogate pair")
    return QuestionError(str(error))


def _decision(told: Told, asked: str) -> Decision:
    status, body, arm, source, _ = told
    members = answer_members(body)
    if status != _OK:
        raise refusal(status, str(members.get("message", "")) if isinstance(members, dict) else "")
    return decision_in(members, asked, arm, source)


def _settings(configuration: Configuration) -> Settings:
    if isinstance(configuration, Settings):
        return configuration
    if isinstance(configuration, Mapping):
        return settings_of(configuration)
    return load_settings(None if configuration is None else Path(configuration))


_POINTS: Final[WeakSet[DecisionPoint]] = WeakSet()
_NOTICING: Final[dict[int, threading.Lock]] = {}
"""By process id."""
_LEFT_BEHIND: Final[list[object]] = []
"""What a child must not free: that would wait for threads which it does not have."""


def _close_all() -> None:
    for point in list(_POINTS):
        point.close()


def _after_fork() -> None:
    for point in list(_POINTS):
        point._leave_behind()  # noqa: SLF001 - the module's own


# Before the interpreter takes away the threads that the event loop works with; `atexit` would come too late for that.
getattr(threading, "_register_atexit", atexit.register)(_close_all)
os.register_at_fork(after_in_child=_after_fork)
