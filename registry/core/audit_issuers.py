"""Whose credentials an address may anchor: a DID and an address have to name each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from registry.core.audit import Finding, Where, find
from registry.core.notation import hex_text, short

__all__ = ["Speakers"]


@dataclass(frozen=True, slots=True)
class Speakers:
    """``dids``: by address, the DIDs that it claimed on chain or is published with: each with "" where the document of
    the DID names the address, the accounts that it names instead where it does not, None where it was not to be had.

    ``incomplete``: addresses of which the node no longer has all claims. ``accounts``: those that the published
    documents of each DID name: whoever has the DID vouches for nobody else, though nothing else is known of an address.
    """

    dids: Mapping[bytes, Mapping[str, str | None]] = field(default_factory=dict)
    incomplete: frozenset[bytes] = frozenset()
    accounts: Mapping[str, frozenset[bytes]] = field(default_factory=dict)

    def judge(self, address: bytes, did: str | None, where: Where) -> Finding | str | None:
        """A credential of ``did`` that ``address`` anchored: what is wrong, or why it cannot be told; None if it is
        right.
        """
        known = self.dids.get(address, {})
        named = known.get(did or "", "-")
        accounts = self.accounts.get(did or "")
        if named == "-" and accounts is not None and address not in accounts:
            named = short(", ".join(map(hex_text, sorted(accounts))), 200) or "no account"
        if named == "":
            return None
        said = short(did or "no issuer", 200)
        asked = f"Whether {said} speaks for {hex_text(address)} could not be told"
        if named is None:
            return f"{asked}: no publication has its DID document (--published)"
        if named == "-" and (not known or address in self.incomplete):
            return f"{asked}: no claim of the address was found"
        if named == "-":
            others = ", ".join(sorted(known))
            expected, observed = f"a credential of {short(others, 200)}", f"{said}, which the address never claimed"
        else:
            expected, observed = f"a credential of whom {hex_text(address)} speaks for", f"{said}, which names {named}"
        return find("credential_issuer_differs", expected, observed, where)
