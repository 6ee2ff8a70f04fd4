"""Which JSON-LD contexts are known: URL, SHA-256 of the context's RFC 8785 form, and the file that holds it.

The digest is taken over the canonical form, so that a context is the same one however a package wrapped its lines.
"""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["JWS_2020", "OPEN_BADGES_3_0_3", "PINS", "SECURITY_V2", "OpenBadges303", "Pin", "Source"]


class Source(StrEnum):
    OWN = "own"  # registry/standards/contexts/data
    OPENBADGESLIB = "openbadgeslib"  # the package's data; none of its code is run


class OpenBadges303(StrEnum):
    """Two documents were published as context-3.0.3.json; the later one adds ``endorsementJwt`` and ``jti``."""

    FIRST = "first"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Pin:
    """One context: its URL, its digest (hex), and where its bytes are."""

    url: str
    digest: str
    source: Source
    file: str


OPEN_BADGES_3_0_3 = "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"
# LATER is what a package carries; FIRST is LATER without these two terms, proven by its own digest.
ADDED_LATER = ("endorsementJwt", "jti")
FIRST_DIGEST = "c5e555a91a5cf48e32ae0a05674c61ddd5c053b680b5643b2f57f9965e386d99"

_W3C = "https://www.w3.org/ns/credentials"
_W3ID = "https://w3id.org"
_SECURITY = f"{_W3ID}/security"
SECURITY_V2 = f"{_SECURITY}/v2"
JWS_2020 = f"{_SECURITY}/suites/jws-2020/v1"
_EDTECH = "https://purl.imsglobal.org/spec"
_OWN = (
    (f"{_W3C}/v2", "credentials-v2", "b463c8d6a066214123ddd9827b135e1b50e1fc73322cc52a9b12a4f1fc7d86cf"),
    (f"{_W3C}/examples/v2", "examples-v2", "8a675bead391be98e6054c4e07c41f73337508d398e07047344c5d349aa2dc58"),
    (
        f"{_W3C}/undefined-terms/v2",
        "undefined-terms-v2",
        "3b11e1df8c618447e9f79f3737e3c30fc0841537eb95f36003742c633672bb9f",
    ),
    (
        f"{_W3C}/status/v1",
        "bitstring-status-list-v1",
        "b2fcebfbaf4e6beae2be370fda8a5f9f99c28540c798a75a8cdccc0fb1a12492",
    ),
    (
        "https://www.w3.org/2018/credentials/v1",
        "credentials-v1",
        "b01e671e873981f19a9102a9a57f666dbcaeb31b99e3e124378d143e71549247",
    ),
    (
        "https://www.w3.org/2018/credentials/examples/v1",
        "credentials-examples-v1",
        "5bca9da34aefb4c5e0cd993e222e58827734e0928fda0210ee73413c43d6e5e5",
    ),
    ("https://www.w3.org/ns/did/v1", "did-v1", "a7e146c40fcec005d3f0f14ae745665f446da58d7914a9d8f733746686fad82b"),
    ("https://www.w3.org/ns/odrl.jsonld", "odrl", "c9b3bbb66a340349a8b126f464287e139570ae46d40d89362733196babb1c9c6"),
    (f"{_SECURITY}/v1", "security-v1", "d87de2ce3ce407bcac481f8af31e211e54beb5cbd7dd459826ed0502302ee234"),
    (SECURITY_V2, "security-v2", "38a9ef19cf3a75bf856202bd1ed4cbd55c985ad4a809eb7f4ef584ba9d51dc90"),
    (
        f"{_SECURITY}/data-integrity/v1",
        "data-integrity-v1",
        "9505bf85338a4c2121ad03992ac90061bc85d43bcfa34d9d47b779381cf08b5f",
    ),
    (
        f"{_SECURITY}/data-integrity/v2",
        "data-integrity-v2",
        "7ba3c50acf2689d5e07927267343eb353249c7c22a9f2d00307cc970e855e305",
    ),
    (f"{_SECURITY}/multikey/v1", "multikey-v1", "be20c3ee6af6e9c4102e66a85c26617831218e32216bdf050f870e389e737cdc"),
    (
        f"{_SECURITY}/suites/ed25519-2020/v1",
        "ed25519-2020-v1",
        "fb517f09d990829aed734c9bad8cbbb2ac3d5063b865c7e3d81f246074bf5691",
    ),
    (
        f"{_SECURITY}/suites/ed25519-2018/v1",
        "ed25519-2018-v1",
        "b4cb4ede62cd5c1e98b54340bf9d5ae636e6ba6e92b6bffb50be3c12b473a2de",
    ),
    (JWS_2020, "jws-2020-v1", "eed16334842a5635257913b33acd1aeee29009eb188d855f9a1d0ceee4a8ae4d"),
    (
        f"{_SECURITY}/suites/x25519-2019/v1",
        "x25519-2019-v1",
        "226bc202c5f5fac752716b9ed838875155c22b789aa0259276cfd83d54a40d06",
    ),
    (
        f"{_SECURITY}/suites/x25519-2020/v1",
        "x25519-2020-v1",
        "454c264ab52b3ee90b2c21a996afc4f5f2a02c2e282799b6e92305e1aa536de6",
    ),
    (
        f"{_SECURITY}/suites/secp256k1recovery-2020/v2",
        "secp256k1recovery-2020-v2",
        "f28435b27c47a82fcd29b2aa782fbe9d6f3a43b76315179464bae0dbcbc417cd",
    ),
    (
        f"{_W3ID}/vc/status-list/2021/v1",
        "status-list-2021-v1",
        "9768f9aa81ab6c3e2ad96b2d669eaba67afe13fff0140a853f1e3d313fab13b6",
    ),
    (
        f"{_W3ID}/vc-revocation-list-2020/v1",
        "revocation-list-2020-v1",
        "375634e782babefd3763cb72b41b70527780b158fcf93855d8f3b56844233341",
    ),
    (
        f"{_W3ID}/citizenship/v1",
        "citizenship-v1",
        "e6ac4c5a1e0f9358b191a782f88d0909df940bed2587a2c5d9e1808949e9a72a",
    ),
    (f"{_W3ID}/dcc/v1", "dcc-v1", "72bbeeb602655938f472f98317cab12c1bf6abc96a915d1fcc3fe18e79f92a42"),
    (
        f"{_W3ID}/blockcerts/v3",
        "blockcerts-v3.0",
        "ce2b7f5b1b9b81b84e5d41aaa6fe76802e932ce9f48bcb63532f4eacfc3f29ee",
    ),
    (
        f"{_W3ID}/blockcerts/v3.1",
        "blockcerts-v3.1",
        "0acee5480ba39ed3d82b1ef98e600f8eebf31c30253860ae0f081f8ff84ec557",
    ),
    (
        f"{_W3ID}/blockcerts/v3.2",
        "blockcerts-v3.2",
        "1ebd84139639d0509fc0f20924746ffe42cd26a024ce2603a6fc86e3945e7b53",
    ),
)
_OPEN_BADGES = (
    (
        f"{_EDTECH}/ob/v3p0/context-3.0.1.json",
        "ob-v3p0-context-3.0.1.json",
        "8bb2354552b70cbdf2066f6d3e24bc5c2be2619145737580ad2aebdc366e77d5",
    ),
    (
        f"{_EDTECH}/ob/v3p0/context-3.0.2.json",
        "ob-v3p0-context-3.0.2.json",
        "bdd1d11a55a660322f24660862a1d430ee80cce584465f750909daa43684357c",
    ),
    (
        OPEN_BADGES_3_0_3,
        "ob-v3p0-context-3.0.3.json",
        "04b1136ddc4eda9a8966bc7ef182789f233a26739473140ef75d6968c29a2966",
    ),
    (
        f"{_EDTECH}/ob/v3p0/extensions.json",
        "ob-v3p0-extensions.json",
        "15f4c347c6fe4380d9b6b93795859e33747ef48d5c55b91a71c52fb51c7bcbd7",
    ),
    (
        f"{_EDTECH}/clr/v2p0/context-2.0.1.json",
        "clr_context_2.0.1.json",
        "7defe702c102faf14108579b7d65ef39ecf4c3bbef925b803e15bd77cd6e3394",
    ),
)

PINS: dict[str, Pin] = {
    **{url: Pin(url, digest, Source.OWN, f"{name}.json") for url, name, digest in _OWN},
    **{url: Pin(url, digest, Source.OPENBADGESLIB, name) for url, name, digest in _OPEN_BADGES},
}
