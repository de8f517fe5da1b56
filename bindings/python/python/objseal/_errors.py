"""What can go wrong."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class WantedKey(NamedTuple):
    """A key that would open an object, as the object says."""

    service: str
    """The key service: `keyring`, or `single-key` for a key that the caller has."""
    key_id: str
    """The name of the root key."""
    version: int
    """Its version; 0 if the service keeps that to itself."""


class Error(Exception):
    """The base of all exceptions of this package. What the operating system says comes as an OSError, with `errno`, and with
    the path that it is about as `filename`."""

    def __str__(self) -> str:
        # What follows the message are the attributes.
        return str(self.args[0]) if self.args else ""


class AuthenticationError(Error):
    """Wrong key, wrong context, or what was sealed was changed: cut short, extended, exchanged, altered.

    It is one answer to all of them: an attacker learns nothing from it. Where the object says that it was sealed under
    another key of that name, so does the message.
    """


class KeyNotFound(Error):
    """No key at hand opens the object, a keyring has no key of this name, or an upload was not unlocked.

    A keyring that has the key in older versions alone may have been read before another process made a newer one:
    `Keyring.reload` reads it again.
    """

    wanted: Sequence[WantedKey]
    """Each key that would open it, as the object says. Nothing proves it."""

    def __init__(self, message: str, wanted: Iterable[tuple[str, str, int]] = ()) -> None:
        self.wanted = tuple(WantedKey(*key) for key in wanted)
        super().__init__(message, self.wanted)


class FormatError(Error):
    """It is not a sealed object, or of a version or kind that this package does not know."""


class PolicyError(Error):
    """The object is not what the caller demands: another context, too few layers, another object, too old."""


class KeyringError(Error):
    """A keyring cannot be read, made or changed: wrong passphrase, damaged, open to other users."""


class KeyServiceError(Error):
    """A key service did not give the key. One that does not have it is a `KeyNotFound`."""

    kind: str
    """Why: `refused` (it does not take what was stored), `denied` (the caller may not use the key), `disabled` or
    `pending_deletion` (the key), `wrong_usage` (the key is not for encryption), `throttled`, `timed_out`, `unreachable`,
    `malformed` (a question or an answer), `other`."""
    transient: bool
    """Whether the same may succeed later: it is `throttled`, `timed_out` or `unreachable`."""

    def __init__(self, message: str, kind: str, transient: bool) -> None:
        super().__init__(message, kind, transient)
        self.kind, self.transient = kind, transient


class PartsError(Error):
    """The parts that were named do not make an object."""


class EngineError(Error):
    """An implementation of AES-256-GCM is not to be had here, or what it sealed did not pass the check."""


class LimitError(Error):
    """Longer than an object can be, or than this machine can hold."""


class RandomError(Error):
    """The operating system has no random bytes to give."""


class ArgumentError(Error, ValueError):
    """An argument makes no sense. The message says which, and what would."""


# They are told by the name that users know.
for _class in [WantedKey, Error, *Error.__subclasses__()]:
    _class.__module__ = "objseal"
