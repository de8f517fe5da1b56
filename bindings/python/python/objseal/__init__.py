"""Encryption of stored objects: chunked, parallel, committing AES-256-GCM.

>>> import objseal
>>> key = objseal.Key.generate()
>>> sealed = objseal.seal(b"the plaintext", key=key, context={"name": "a.txt"})
>>> objseal.unseal(sealed, key=key, context={"name": "a.txt"})
b'the plaintext'

| you have | use |
|---|---|
| the whole object in memory | `seal`, `unseal`, `seal_into`, `unseal_into` |
| a file or a stream, of any length | `seal_file`, `unseal_file` |
| something to write to, or to read in any order | `open` |
| a place for the head and one for the body | `objseal.envelope` |
| an object in parts | `objseal.parts` |
| a key and a context for a bare message | `objseal.cobblestone` |

Nothing of a chunk is given out before its tag holds. Keys are wiped when the last reference is gone; what Python copies,
`bytes` that were passed say, is not. Free-threaded builds of Python are untested and run with the lock.
"""

from . import cobblestone, envelope, parts
from ._errors import (
    ArgumentError,
    AuthenticationError,
    EngineError,
    Error,
    FormatError,
    KeyNotFound,
    KeyringError,
    KeyServiceError,
    LimitError,
    PartsError,
    PolicyError,
    RandomError,
    WantedKey,
)
from ._files import open
from ._model import Facts, Info, WrappedKey
from ._object import inspect, rewrap, seal, seal_file, seal_into, sealed_len, unseal, unseal_file, unseal_into
from ._objseal import VERSION as __version__
from ._objseal import Key, Keyring, engines
from ._options import OpenOptions, Policy, SealOptions
from ._readers import SealedReader, SealedTextReader
from ._types import ANY, Known
from ._writers import SealedTextWriter, SealedWriter

__all__ = [
    "ANY",
    "ArgumentError",
    "AuthenticationError",
    "EngineError",
    "Error",
    "Facts",
    "FormatError",
    "Info",
    "Key",
    "KeyNotFound",
    "KeyServiceError",
    "Keyring",
    "KeyringError",
    "Known",
    "LimitError",
    "OpenOptions",
    "PartsError",
    "Policy",
    "PolicyError",
    "RandomError",
    "SealOptions",
    "SealedReader",
    "SealedTextReader",
    "SealedTextWriter",
    "SealedWriter",
    "WantedKey",
    "WrappedKey",
    "__version__",
    "cobblestone",
    "engines",
    "envelope",
    "inspect",
    "open",
    "parts",
    "rewrap",
    "seal",
    "seal_file",
    "seal_into",
    "sealed_len",
    "unseal",
    "unseal_file",
    "unseal_into",
]
