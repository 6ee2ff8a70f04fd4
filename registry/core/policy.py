"""Policies: what a verifier trusts, as a file that people can read and edit (docs/spec/policy.md)."""

import re
from functools import partial
from typing import Any

import orjson

from registry.core.canonical import parse_json
from registry.core.errors import InputError, PolicyError
from registry.core.model import ChainClass, IssuerPin, Policy, TrustedChain
from registry.core.notation import chain_text, hex_text, parse_chain, parse_hex
from registry.core.shape import Shape

__all__ = ["MAX_POLICY_BYTES", "parse_issuer", "parse_policy", "serialize_policy"]

MAX_POLICY_BYTES = 1 << 24  # a trust list may name every institution of a country
_MAX_ENTRIES = 100_000
_DAY = 86400
_DID = re.compile(r"did:[a-z0-9]+:[A-Za-z0-9._:%-]{1,2000}")
_URI = re.compile(r"(?!did:)[a-z][a-z0-9+.-]*:[A-Za-z0-9._~:/?@!$&'()*+,;=%\[\]-]{1,2000}")
_BASE = re.compile(r"https?://[^\s/?#]+(/[^\s/?#]+)*")
_address = partial(parse_hex, length=20)


def parse_policy(data: bytes) -> Policy:
    """Reads a policy from JSON. Raises JsonError if it is not strict JSON, PolicyError if it is not a policy."""
    shape = Shape(parse_json(data, MAX_POLICY_BYTES), PolicyError)
    shape.constant("version", 1)
    chains = tuple(_read_chain(inner) for inner in shape.inners("chains", 0, _MAX_ENTRIES))
    if len({(chain.chain_id, chain.contract) for chain in chains}) < len(chains):
        raise PolicyError("the same contract on the same chain is listed twice", "/chains")
    pins = tuple(_read_pin(inner) for inner in shape.inners("issuers", 0, _MAX_ENTRIES))
    addresses = [pin.address for pin in pins if pin.address is not None]
    if len(set(addresses)) < len(addresses):
        raise PolicyError("an issuer address is listed twice; it belongs to one DID", "/issuers")
    without = [pin.did for pin in pins if pin.address is None]
    if len(set(without)) < len(without):
        raise PolicyError("an issuer without address is listed twice", "/issuers")
    policy = Policy(
        chains=chains,
        issuers=pins,
        clock_skew_seconds=shape.integer("clockSkewSeconds", 0, _DAY),
        max_evidence_age_seconds=shape.integer("maxEvidenceAgeSeconds", 1, 366 * _DAY),
    )
    shape.finish()
    return policy


def _read_chain(shape: Shape) -> TrustedChain:
    chain = TrustedChain(
        chain_id=shape.text("chain", parse_chain),
        contract=shape.text("contract", _address),
        code_hash=shape.text("codeHash", partial(parse_hex, length=32)),
        chain_class=shape.text("class", _chain_class),
        name=shape.text("name", _name),
    )
    shape.finish()
    return chain


def _chain_class(text: str) -> ChainClass:
    if text not in ("production", "test", "dev"):
        raise InputError('the class of a chain is "production", "test" or "dev"')
    return ChainClass(text)


def _name(text: str) -> str:
    if not 1 <= len(text) <= 100 or not text.isprintable():
        raise InputError("a name has 1 to 100 printable characters")
    return text


def _read_pin(shape: Shape) -> IssuerPin:
    pin = IssuerPin(
        did=shape.text("did", parse_issuer),
        address=shape.text("address", _address) if "address" in shape else None,
        status_base=shape.text("statusBase", _base) if "statusBase" in shape else None,
    )
    shape.finish()
    return pin


def parse_issuer(text: str) -> str:
    """An issuer's identifier: a DID, or another absolute URI without fragment, such as "https:…". Raises InputError."""
    if not _DID.fullmatch(text) and not _URI.fullmatch(text):
        raise InputError(
            "not a DID (did:<method>:<id>, without path, query or fragment) nor another absolute URI without fragment"
        )
    return text


def _base(text: str) -> str:
    if len(text) > 2000 or not _BASE.fullmatch(text):
        raise InputError("not an http(s) address without query, fragment and trailing slash")
    return text


def serialize_policy(policy: Policy) -> bytes:
    """The policy as JSON, indented for people; ``parse_policy`` reads it back."""
    document: dict[str, Any] = {
        "version": 1,
        "chains": [
            {
                "chain": chain_text(chain.chain_id),
                "contract": hex_text(chain.contract),
                "codeHash": hex_text(chain.code_hash),
                "class": chain.chain_class.value,
                "name": chain.name,
            }
            for chain in policy.chains
        ],
        "issuers": [
            {"did": pin.did}
            | ({} if pin.address is None else {"address": hex_text(pin.address)})
            | ({} if pin.status_base is None else {"statusBase": pin.status_base})
            for pin in policy.issuers
        ],
        "clockSkewSeconds": policy.clock_skew_seconds,
        "maxEvidenceAgeSeconds": policy.max_evidence_age_seconds,
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
