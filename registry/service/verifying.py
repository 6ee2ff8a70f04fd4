"""Verifying bundles: asks the chains once for each batch, and lets core judge each bundle.

The service's own tables are not asked about what is valid; only about revocations that were announced and are not on
chain yet.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from anchors.base import Chain, ChainError, EvidenceQuery
from registry.core.model import (
    Anchor,
    AnchorEvidence,
    Bundle,
    ChainUnavailable,
    Evidence,
    Policy,
    Verdict,
)
from registry.core.status import word_and_mask
from registry.core.verify import verify

__all__ = ["Announced", "Verifier"]

Announced = Callable[[Iterable[tuple[bytes, int]]], set[tuple[bytes, int]]]

_Place = tuple[int, bytes]  # chain id, contract
_Batch = tuple[bytes, bytes, int]  # issuer, root, first index


class Verifier:
    """Verifies against a policy. ``chains`` are those that can be asked; only the policy says which ones count."""

    def __init__(
        self,
        chains: Mapping[tuple[int, bytes], Chain],
        policy: Callable[[], Policy],
        clock: Callable[[], int],
        announced: Announced | None = None,
    ) -> None:
        self._chains = chains
        self._policy = policy
        self._clock = clock
        self._announced = announced

    def verify(self, bundles: Sequence[Bundle]) -> list[Verdict]:
        """One verdict for each bundle, in order. A chain that does not answer makes UNKNOWN checks, never an error."""
        policy = self._policy()
        trusted = {(chain.chain_id, chain.contract) for chain in policy.chains}
        read = self._read(bundles, trusted)
        announced = self._announced_among(bundles)
        verdicts = []
        for bundle in bundles:
            evidence = Evidence(
                tuple(self._answer(anchor, bundle, read) for anchor in bundle.anchors),
                revocation_announced=any(_position(anchor, bundle) in announced for anchor in bundle.anchors),
            )
            verdicts.append(verify(bundle, evidence, policy, self._clock()))
        return verdicts

    def _read(
        self, bundles: Sequence[Bundle], trusted: set[_Place]
    ) -> dict[_Place, dict[_Batch, AnchorEvidence] | ChainUnavailable]:
        """Asks each chain of the policy for all batches that the bundles name on it."""
        wanted: dict[_Place, dict[_Batch, set[int]]] = defaultdict(lambda: defaultdict(set))
        for bundle in bundles:
            for anchor in bundle.anchors:
                place = (anchor.chain_id, anchor.contract)
                if place in trusted:  # what the policy does not list is refused without being asked
                    word, _ = word_and_mask(anchor.first_index + bundle.inclusion.leaf_index)
                    wanted[place][_batch(anchor, bundle)].add(word)
        read: dict[_Place, dict[_Batch, AnchorEvidence] | ChainUnavailable] = {}
        for place, batches in wanted.items():
            chain = self._chains.get(place)
            if chain is None:
                read[place] = ChainUnavailable(place[0], "No node is configured for this chain; name one in RPC_URLS.")
                continue
            queries = [EvidenceQuery(*batch, tuple(sorted(words))) for batch, words in batches.items()]
            try:
                answers = chain.read_evidence(queries)
            except ChainError as error:
                read[place] = ChainUnavailable(place[0], str(error))
                continue
            read[place] = dict(zip(batches, answers, strict=True))
        return read

    def _answer(
        self,
        anchor: Anchor,
        bundle: Bundle,
        read: Mapping[_Place, dict[_Batch, AnchorEvidence] | ChainUnavailable],
    ) -> AnchorEvidence | ChainUnavailable:
        answers = read.get((anchor.chain_id, anchor.contract))
        if answers is None:
            return ChainUnavailable(anchor.chain_id, "The policy does not name this chain and contract.")
        return answers if isinstance(answers, ChainUnavailable) else answers[_batch(anchor, bundle)]

    def _announced_among(self, bundles: Sequence[Bundle]) -> set[tuple[bytes, int]]:
        if self._announced is None:
            return set()
        return self._announced(_position(anchor, bundle) for bundle in bundles for anchor in bundle.anchors)


def _batch(anchor: Anchor, bundle: Bundle) -> _Batch:
    return anchor.issuer, bundle.inclusion.root, anchor.first_index


def _position(anchor: Anchor, bundle: Bundle) -> tuple[bytes, int]:
    return anchor.issuer, anchor.first_index + bundle.inclusion.leaf_index
