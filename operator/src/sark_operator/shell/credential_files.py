"""What the operator's files of credentials have in common: their shape, how they are read, and what is wrong with them.

Such a file holds paths, never secrets, and what the paths name is read when it is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator

from sark_api.yaml_problem import yaml_problem

MAX_SECRET_BYTES: Final = 16 * 1024
MAX_FILE_BYTES: Final = 1024 * 1024

Name = Annotated[str, StringConstraints(min_length=1, max_length=253)]
FilePath = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^/[^\x00]*$")]


class AccessFileError(ValueError):
    """The file cannot be used; the message says what to write instead."""


class AccessError(Exception):
    """A credential cannot be read now; the message names the file and never what is in it."""


class Strict(BaseModel):
    """A part of a file, in which no other member is allowed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Authorization(Strict):
    """A bearer token."""

    credentials_file: FilePath


class Tls(Strict):
    """Whom to trust, and what to show."""

    ca_file: FilePath | None = None
    cert_file: FilePath | None = None
    key_file: FilePath | None = None

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("give cert_file and key_file together")
        return self


Document = TypeVar("Document", bound=Strict)


def read_document(path: Path, model: type[Document]) -> Document:
    """Return the YAML file at `path`.

    Raises:
        AccessFileError: it is not of that shape.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise AccessFileError(f"{path} is larger than {MAX_FILE_BYTES // 1024} KiB; is it the right file?")
        return model.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise AccessFileError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        # The parser's own text quotes the file, in which somebody may have put a secret by mistake.
        raise AccessFileError(f"{path} is not YAML: {yaml_problem(error)}") from None
    except ValidationError as error:
        raise AccessFileError(f"{path}: {_complaint(error)}") from error


def read_secret(path: str) -> str:
    """Return the one line in the file at `path`, without white space around it.

    Raises:
        AccessError: it cannot be read, or holds something else.
    """
    text = read_limited(path, limit=MAX_SECRET_BYTES).decode("latin-1").strip()
    if not text:
        raise AccessError(f"{path} is empty; it must hold one line, the credential itself")
    if not all(" " < character <= "~" for character in text):
        raise AccessError(f"{path} holds white space or characters outside ASCII; it must hold one line, the credential itself")
    return text


def read_limited(path: str, limit: int = MAX_FILE_BYTES) -> bytes:
    """Return the content of the file at `path`.

    Raises:
        AccessError: it cannot be read, or is longer than `limit` bytes.
    """
    try:
        with Path(path).open("rb") as file:
            found = file.read(limit + 1)
    except OSError as error:
        raise AccessError(f"{path} cannot be read: {(error.strerror or 'unknown error').lower()}") from error
    if len(found) > limit:
        raise AccessError(f"{path} is larger than {limit // 1024} KiB; is it the right file?")
    return found


def _complaint(error: ValidationError) -> str:
    first: Any = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(step) for step in first["loc"])
    return f"{where or 'the document'}: {first['msg']}"
