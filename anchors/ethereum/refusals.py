"""What nodes say when they do not take a transaction, and what it means. A table; the first row that fits counts."""

import re

from anchors.base import Refusal

__all__ = ["KNOWN", "refusal_of"]


def _rows(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE)


KNOWN = _rows(
    "already known",  # geth, reth, erigon ("already known", code 18 of its pool)
    "AlreadyKnown",  # nethermind
    "known transaction",  # older geth, besu ("Known transaction")
    "already imported",  # parity, anvil ("transaction already imported")
    "existing tx with same hash",  # erigon
)
"""The node has exactly this transaction already: success."""

_TABLE: tuple[tuple[re.Pattern[str], Refusal], ...] = (
    (
        _rows(
            "nonce too low",  # geth, anvil, erigon, besu ("Nonce too low")
            "OldNonce",  # nethermind
            "NonceTooLow",
            "nonce (is )?below",
            "account nonce .* (is )?greater",
            "nonce has already been used",
            "transaction nonce is too low",
            "nonce gap too low",
        ),
        Refusal.NONCE_TOO_LOW,
    ),
    (
        _rows(
            "replacement transaction underpriced",  # geth, reth, anvil
            "ReplacementNotAllowed",  # nethermind
            "could not replace existing",  # erigon
            "transaction underpriced: a replacement",
            "replacement .*(too low|underpriced)",
            "TransactionReplacementUnderpriced",
            "TRANSACTION_REPLACEMENT_UNDERPRICED",  # besu
            "fee too low to replace",
        ),
        Refusal.UNDERPRICED,
    ),
    (
        _rows(
            "insufficient funds",  # geth, reth, anvil, erigon
            "InsufficientFunds",  # nethermind
            "upfront cost exceeds (account )?balance",  # besu ("Upfront cost exceeds account balance")
            "not enough (funds|balance)",
            "cannot afford",  # py-evm
            "does not have enough balance",  # py-evm
            "gas required exceeds allowance \\(0\\)",  # geth, when it simulates for a sender without money
            "insufficient (sender )?balance",
            "overdraft",
        ),
        Refusal.INSUFFICIENT_FUNDS,
    ),
    (
        _rows(
            "transaction underpriced",  # geth, reth: below the pool's minimum tip
            "max fee per gas (is )?less than block base fee",  # geth, anvil
            "max fee per gas.* (lower|less) than",  # py-evm, besu
            "FeeTooLow",  # nethermind ("FeeTooLow", "FeeTooLowToCompete")
            "fee cap less than block base fee",
            "gas price (is )?(too low|below)",  # besu ("Gas price below configured minimum gas price")
            "tip .*(too low|below)",  # geth ("gas tip cap … below minimum")
            "below (the )?(current|minimum) base fee",
            "maxFeePerGas.*base",
            "underpriced",  # whatever else is: erigon ("UnderPriced"), with no transaction to replace named
            "priority fee per gas (is )?(too low|below)",
        ),
        Refusal.FEE_TOO_LOW,
    ),
)


def refusal_of(message: str) -> Refusal:
    """The meaning of a node's message; ``Refusal.OTHER`` where the table has none."""
    for pattern, refusal in _TABLE:
        if pattern.search(message):
            return refusal
    return Refusal.OTHER
