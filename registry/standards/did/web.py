"""did:web: which URL a DID stands for, and back (https://w3c-ccg.github.io/did-method-web/ section 2)."""

import re
from urllib.parse import urlsplit

from registry.core.notation import short
from registry.standards.did.errors import DidUnsupported

__all__ = ["did_from_url", "is_loopback", "url_of"]

_PREFIX = "did:web:"
_MAX_LENGTH = 1_000
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_AUTHORITY = re.compile(r"([A-Za-z0-9.-]+)(?:%3[Aa]([1-9][0-9]{0,4}))?")
_SEGMENT = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")  # no dot first: neither "." nor "..", no hidden files
_LOOPBACK = frozenset({"localhost", "127.0.0.1"})


def is_loopback(host: str) -> bool:
    """Whether a host name is the machine's own. IPv6 cannot be written in a did:web."""
    return host in _LOOPBACK


def url_of(did: str, *, allow_loopback: bool = False) -> str:
    """The URL of a did:web document. Raises DidUnsupported.

    HTTPS always, but for loopback hosts, which are plain http and only there where ``allow_loopback`` says so.
    """
    if not did.startswith(_PREFIX) or len(did) > _MAX_LENGTH:
        raise DidUnsupported("not a did:web, or too long for one")
    authority, *segments = did.removeprefix(_PREFIX).split(":")
    match = _AUTHORITY.fullmatch(authority)
    if match is None or not _HOST.fullmatch(match[1]) or len(match[1]) > 253 or int(match[2] or 1) > 65535:
        raise DidUnsupported(f"{short(did, 200)} names no host")
    host, port = match[1].lower(), match[2]
    if not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise DidUnsupported(f"{short(did, 200)} has a path that is not used here (letters, digits, . _ ~ -)")
    local = is_loopback(host)
    if local and not allow_loopback:
        raise DidUnsupported(f"{short(did, 200)} is on this machine, which the policy does not allow")
    if not local and (host.rpartition(".")[2].isdigit() or "." not in host):
        raise DidUnsupported(f"{short(did, 200)} names no public host; did:web takes domain names, no IP addresses")
    path = "/".join(segments) or ".well-known"
    return f"{'http' if local else 'https'}://{host}{f':{port}' if port else ''}/{path}/did.json"


def did_from_url(url: str) -> str:
    """The did:web whose document lies below this URL (without did.json). Raises DidUnsupported."""
    parts = urlsplit(url)
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise DidUnsupported(f"{short(url, 200)} is no URL of a host") from error
    if parts.scheme not in {"https", "http"} or parts.query or parts.fragment or parts.username is not None:
        raise DidUnsupported(f"{short(url, 200)} is no plain URL of a host and a path")
    segments = [segment for segment in parts.path.split("/") if segment]
    did = ":".join([f"{_PREFIX}{host}{f'%3A{port}' if port else ''}", *segments])
    url_of(did, allow_loopback=True)
    return did
