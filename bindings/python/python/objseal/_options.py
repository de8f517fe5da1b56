"""From keyword arguments to what the native half takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from . import _objseal as native
from ._errors import ArgumentError, KeyNotFound, WantedKey
from ._objseal import Keyring
from ._types import ANY, Context, Demanded, KeyLike, Known, Names

if TYPE_CHECKING:
    from ._model import Facts


class SealOptions(TypedDict, total=False):
    """How to seal."""

    bound: Mapping[str, str]
    """Pairs of the context that whoever opens knows, the place of the object say. Only their keys are stored."""
    layers: int
    """2 for two layers, each under a data key and by an implementation of its own. Default: 1."""
    outer_key: Names
    """With two layers and a keyring: the root keys of the outer one. Default: those of the inner one."""
    engine: str
    """The implementation of AES-256-GCM; `objseal.engines()` lists them. Default: the fastest."""
    outer_engine: str
    """That of the outer layer. Default: one that shares no code with `engine`."""
    check: bool
    """Opens every wrapped key, and every chunk on another engine, before it is given out. It takes the time of sealing and
    opening."""
    digests: Iterable[str]
    """Digests of the plaintext to keep: sha256, crc64nvme, crc32c, crc32, sha1, md5, sha512, xxhash64, xxhash3,
    xxhash128."""


class OpenOptions(TypedDict, total=False):
    """How to open."""

    policy: Policy
    """What the object must be. Nothing in the object can lower it."""
    engine: str
    """As in `SealOptions`; every engine opens what any other sealed."""
    outer_engine: str


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the caller demands of an object, besides its context, before any key is used.

    >>> import objseal
    >>> key = objseal.Key.generate()
    >>> sealed = objseal.seal(b"plain", key=key)
    >>> objseal.unseal(sealed, key=key, policy=objseal.Policy(minimum_layers=2))
    Traceback (most recent call last):
    ...
    objseal.PolicyError: the object has fewer layers than asked for

    With two layers, which key may open which one:

    >>> policy = objseal.Policy(minimum_layers=2, inner_key_ids=["customer"], outer_key_ids=["server"])
    """

    minimum_layers: int = 0
    suites: Sequence[str] | None = None
    """Suites that are accepted for every layer. None: all that are known."""
    services: Sequence[str] | None = None
    """Key services that are accepted, for every layer and for the state of an upload. None: all at hand."""
    key_ids: Sequence[str] | None = None
    """Key ids that are accepted, for the same. None: all at hand."""
    inner_services: Sequence[str] | None = None
    """Of these key services, those that are accepted for the inner layer or the only one. None: all of them."""
    inner_key_ids: Sequence[str] | None = None
    """Key ids, in the same way."""
    outer_services: Sequence[str] | None = None
    """Key services that are accepted for the outer layer, in the same way."""
    outer_key_ids: Sequence[str] | None = None
    """Key ids, in the same way."""
    object_id: bytes | None = None
    """The object must be this one."""
    minimum_generation: int = 0
    """The head must have been written at least so often."""


def _pairs(context: Context) -> list[tuple[str, str]]:
    if isinstance(context, Mapping):
        pairs = list(context.items())
        if not all(isinstance(key, str) and isinstance(value, str) for key, value in pairs):
            raise ArgumentError("context: the keys and values of an encryption context are text")
        return pairs
    if isinstance(context, str):
        text = context
    elif isinstance(context, (bytes, bytearray, memoryview)):
        try:
            text = bytes(context).decode()
        except UnicodeDecodeError:
            raise ArgumentError("context: these bytes are not UTF-8; give pairs of text, {'name': 'value'}") from None
    else:
        raise ArgumentError(f"context: pairs of text, text or bytes, not {type(context).__name__}")
    return [("context", text)] if text else []


def _names(argument: str, names: object) -> list[str]:
    listed = [names] if isinstance(names, str) else list(names) if isinstance(names, Sequence) else []
    if not listed or not all(isinstance(name, str) and name for name in listed):
        raise ArgumentError(f"{argument}: the name of a key in the keyring, or several, not {type(names).__name__}")
    return listed


def _single(key: object) -> KeyLike:
    if isinstance(key, str) or (isinstance(key, Sequence) and not isinstance(key, (bytes, bytearray, memoryview))):
        raise ArgumentError("key: this is a name, so keyring= is needed, or a Key instead")
    if key is None:
        raise ArgumentError("key= is needed, or keyring=")
    return key  # type: ignore[return-value]


def sealing(
    key: KeyLike | Names, keyring: Keyring | None, context: Context, options: SealOptions
) -> native.SealOptions:
    """How to seal, as the native half has it."""
    unknown = options.keys() - SealOptions.__annotations__.keys()
    if unknown:
        raise TypeError(f"unexpected keyword argument {min(unknown)!r}")
    layers = options.get("layers", 1)
    if layers not in (1, 2):
        raise ArgumentError(f"layers={layers!r}: 1 or 2")
    outer_key = options.get("outer_key")
    if outer_key is not None and layers == 1:
        raise ArgumentError("outer_key: there is no outer layer without layers=2")
    inner: list[tuple[Keyring, str] | KeyLike]
    outer: list[tuple[Keyring, str] | KeyLike]
    if keyring is None:
        if outer_key is not None:
            raise ArgumentError("outer_key: two root keys need a keyring")
        inner = [_single(key)]
        outer = inner
    else:
        inner = [(keyring, name) for name in _names("key", key)]
        outer = inner if outer_key is None else [(keyring, name) for name in _names("outer_key", outer_key)]
    digests = options.get("digests", ())
    return native.SealOptions(
        inner,
        outer if layers == 2 else [],
        (_pairs(context), _pairs(options.get("bound", {}))),
        options.get("engine"),
        options.get("outer_engine"),
        options.get("check", False),
        [digests] if isinstance(digests, str) else list(digests),
    )


def _kept(verified: Facts, layer: int, keyring: Keyring | None) -> list[str]:
    """The keys that a layer is sealed under, which must all be at hand."""
    service, latest = ("single-key", {"key": 1}) if keyring is None else ("keyring", keyring.keys())
    keys = [key for key in verified.keys if key.layer == layer]
    for key in keys:
        # A version that is not there yet is of another keyring.
        if key.service != service or latest.get(key.key_id, 0) < key.version:
            message = (
                f"{key.key_id!r} of {key.service!r}, version {key.version}, which layer {layer} is sealed under, is not at hand "
                "and cannot be kept; name the keys to seal it under"
            )
            if keyring is not None and key.service == service and key.key_id in latest:
                message += f", or have Keyring.reload() read its file again, which had it up to version {latest[key.key_id]}"
            raise KeyNotFound(message, [WantedKey(key.service, key.key_id, key.version)])
    return list(dict.fromkeys(key.key_id for key in keys))


def resealing(
    verified: Facts,
    key: Any,
    keyring: Keyring | None,
    context: Context | None,
    options: dict[str, Any],
    held: Any = None,
) -> native.SealOptions:
    """How to seal the data keys of an object anew: what is not given stays as the verified head has it.

    Without a keyring the key that is `held` is the one that opened it.
    """
    bound = {name: verified.context[name] for name in verified.bound_keys}
    if context is None:
        context = {name: value for name, value in verified.context.items() if name not in bound}
    how = {"layers": verified.layers, "bound": bound, **options}
    if keyring is not None:
        key = _kept(verified, 1, keyring) if key is None else key
        if how["layers"] == verified.layers == 2 and how.get("outer_key") is None:
            how["outer_key"] = _kept(verified, 2, keyring)
    elif key is None:
        for layer in range(1, verified.layers + 1):
            _kept(verified, layer, None)
        key = held
    return sealing(key, keyring, context, how)  # type: ignore[arg-type]


def opening(
    key: KeyLike | Names | None, keyring: Keyring | None, context: Demanded, options: OpenOptions
) -> native.OpenOptions:
    """What to open, as the native half has it."""
    unknown = options.keys() - OpenOptions.__annotations__.keys()
    if unknown:
        raise TypeError(f"unexpected keyword argument {min(unknown)!r}")
    known = isinstance(context, Known)
    demanded = None if context is ANY else (_pairs(context.bound if isinstance(context, Known) else context), known)
    return native.OpenOptions(
        _single(key) if keyring is None else keyring,
        None if keyring is None or key is None else _names("key", key),
        demanded,
        options.get("policy") or Policy(),
        options.get("engine"),
        options.get("outer_engine"),
    )
