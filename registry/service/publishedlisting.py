"""What a publication lists of batches: registry.json, or the pages of a registry's API (docs/spec/published.md)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from registry.core.audit import BatchKey
from registry.core.audit_published import PublishedBatch
from registry.core.canonical import MAX_INTEGER, parse_json
from registry.core.errors import InputError, RegistryError, ShapeError
from registry.core.merkle import HASH_BYTES
from registry.core.model import Anchor
from registry.core.notation import parse_chain, parse_hex, parse_time
from registry.core.shape import Shape

__all__ = [
    "LISTING", "MAX_LISTING_BYTES", "MAX_PAGE_BYTES", "STATES", "TYPE", "Listing", "MaterialMalformed",
    "MaterialUnavailable", "Unplaced", "listing_of_pages", "parse_listing",
]  # fmt: skip

LISTING = "registry.json"
TYPE = "PublishedBatches"
STATES = ("anchored", "voided")
MAX_LISTING_BYTES = 384 << 20
MAX_PAGE_BYTES = 8 << 20
_MAX_BATCHES = 1_000_000
_MAX_COMMAS = 10 * (_MAX_BATCHES + 1)
_MAX_LEAVES = 1 << 24  # the contract's limit for one batch
_PAGE = 1_000
_FINAL = "FINAL"
_ANCHORED = ("ANCHORED", _FINAL)
_NOT_YET = ("SEALED", "AWAITING_SIGNATURE", "SUBMITTED")
_DELAY = "declaredDelaySeconds"

_bare_hash = partial(parse_hex, length=HASH_BYTES, prefix="")
_address = partial(parse_hex, length=20)


class MaterialUnavailable(RegistryError):
    """The material did not answer, so nothing was learnt of it: the audit cannot finish."""


class MaterialMalformed(InputError):
    """The material answered with something that it must not be."""


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A batch that a registry lists and does not hold for anchored: the listing does not name the issuer's address."""

    root: bytes
    first: int
    size: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What is said to be published, on which chain and in which contract."""

    chain_id: int
    contract: bytes
    batches: tuple[PublishedBatch, ...]
    unplaced: tuple[Unplaced, ...] = ()

    @property
    def place(self) -> tuple[int, bytes]:
        """Chain and contract."""
        return self.chain_id, self.contract


def parse_listing(data: bytes) -> Listing:
    """docs/spec/published.md"""
    if data.count(b"{") > _MAX_BATCHES + 1 or data.count(b"[") > 1 or data.count(b",") > _MAX_COMMAS:
        # Counted before it is parsed: what is small as text can be large as objects.
        raise MaterialMalformed(f"{LISTING} lists more than {_MAX_BATCHES} batches, or something else than batches")
    try:
        shape = Shape(parse_json(data, MAX_LISTING_BYTES), ShapeError)
        shape.constant("type", TYPE)
        shape.constant("version", 1)
        chain_id, contract = shape.text("chain", parse_chain), shape.text("contract", _address)
        batches = tuple(_listed(item) for item in shape.inners("batches", 0, _MAX_BATCHES))
        shape.finish()
    except InputError as error:
        raise MaterialMalformed(f"{LISTING} cannot be read: {error}") from error
    return Listing(chain_id, contract, batches)


def listing_of_pages(read: Callable[[str | None, int], bytes]) -> Listing:
    """``read``: one page, by the cursor that the one before named, with so many batches at most.

    Raises MaterialMalformed, and what ``read`` raises.
    """
    batches: list[PublishedBatch] = []
    unplaced: list[Unplaced] = []
    places: set[tuple[int, bytes]] = set()
    cursor: str | None = None
    for _ in range(_MAX_BATCHES // _PAGE):
        page = _page(read(cursor, _PAGE))
        places.add(_place_of(page.get("network")))
        cursor = page.get("next")
        if cursor is not None and (not isinstance(cursor, str) or not 0 < len(cursor) <= 100):
            raise MaterialMalformed("the cursor of the next page is none")
        for item in page["batches"]:
            found = _api_batch(item)
            if isinstance(found, PublishedBatch):
                places.add(_place_of(item["anchor"].get("network")))
            if isinstance(found, PublishedBatch):
                batches.append(found)
            elif found is not None:
                unplaced.append(found)
        if cursor is None:
            break
        if not page["batches"]:
            raise MaterialMalformed("an empty page names a next one")
    else:
        raise MaterialMalformed(f"more than {_MAX_BATCHES} batches are listed, or the pages never end")
    if len(places) != 1:
        raise MaterialMalformed("the batches are said to be in different contracts")
    [(chain_id, contract)] = places
    return Listing(chain_id, contract, tuple(batches), tuple(unplaced))


def _listed(shape: Shape) -> PublishedBatch:
    key = BatchKey(
        issuer=shape.text("issuer", _address),
        first=shape.integer("first", 0, MAX_INTEGER),
        root=shape.text("root", _bare_hash),
    )
    batch = PublishedBatch(
        key,
        shape.integer("size", 1, _MAX_LEAVES),
        revoked=shape.text("state", _is_voided),
        accepted_from=shape.text("acceptedFrom", parse_time) if "acceptedFrom" in shape else None,
        declared_delay=shape.integer(_DELAY, 0, MAX_INTEGER) if _DELAY in shape else None,
        erased=shape.integer("erased", 0, _MAX_LEAVES) if "erased" in shape else None,
    )
    shape.finish()
    return batch


def _is_voided(state: str) -> bool:
    if state not in STATES:
        raise InputError(f"a state is one of {', '.join(STATES)}")
    return state == STATES[1]


def _page(data: bytes) -> dict[str, Any]:
    try:
        page = parse_json(data, MAX_PAGE_BYTES)
    except InputError as error:
        raise MaterialMalformed(f"a page of /v1/batches cannot be read: {error}") from error
    if not isinstance(page, dict) or not isinstance(page.get("batches"), list) or len(page["batches"]) > _PAGE:
        raise MaterialMalformed("a page of /v1/batches is no page of batches")
    return page


def _place_of(network: object) -> tuple[int, bytes]:
    if not isinstance(network, Mapping):
        raise MaterialMalformed("it is not said on which chain the batches are")
    chain, contract = network.get("chain"), network.get("contract")
    if not isinstance(chain, str) or not isinstance(contract, str):
        raise MaterialMalformed("it is not said on which chain the batches are")
    try:
        return parse_chain(chain), _address(contract)
    except InputError as error:
        raise MaterialMalformed(f"the chain or the contract of the batches cannot be read: {error}") from error


def _api_batch(item: object) -> PublishedBatch | Unplaced | None:
    """A batch as GET /v1/batches lists it; members that mean nothing to an auditor may come and go."""
    if not isinstance(item, Mapping):
        raise MaterialMalformed("a listed batch is no object")
    root, first, size, state, anchor = (item.get(name) for name in ("root", "first", "size", "state", "anchor"))
    if type(first) is not int or type(size) is not int or first < 0 or not 0 < size <= _MAX_LEAVES:
        raise MaterialMalformed("a listed batch has no first index or no size")
    try:
        packed = _bare_hash(root if isinstance(root, str) else "")
        if state in _ANCHORED:
            anchor = anchor if isinstance(anchor, Mapping) else {}
            issuer = anchor.get("issuer")
            key = BatchKey(_address(issuer if isinstance(issuer, str) else ""), first, packed)
            accepted, delay, voided = (item.get(name) for name in ("acceptedFrom", _DELAY, "voided"))
            return PublishedBatch(
                key,
                size,
                revoked=voided if isinstance(voided, bool) else None,
                accepted_from=parse_time(accepted) if isinstance(accepted, str) else None,
                declared_delay=delay if type(delay) is int and delay >= 0 else None,
                anchor=_final_anchor(key, anchor) if state == _FINAL else None,
            )
    except InputError as error:
        raise MaterialMalformed(f"a listed batch cannot be read: {error}") from error
    return Unplaced(packed, first, size) if state in _NOT_YET else None


def _final_anchor(key: BatchKey, anchor: Mapping[str, Any]) -> Anchor | None:
    """Where the batch is said to be anchored, if that is said. Raises InputError."""
    moment, number, *hashes = (anchor.get(name) for name in ("anchoredAt", "blockNumber", "transaction", "blockHash"))
    if not isinstance(moment, str) or type(number) is not int or not all(isinstance(item, str) for item in hashes):
        return None
    chain_id, contract = _place_of(anchor.get("network"))
    transaction, block = (parse_hex(str(item), HASH_BYTES) for item in hashes)
    return Anchor(chain_id, contract, key.issuer, key.first, parse_time(moment), transaction, number, block)
