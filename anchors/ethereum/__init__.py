"""Ethereum: the registry contract through any JSON-RPC node, and the keys that sign for it.

The only package that imports web3 and eth-account, and it does so late: importing them costs more than a second.
"""

from anchors.ethereum.chain import EthereumChain
from anchors.ethereum.keystore import KeystoreSigner, create_keystore
from anchors.ethereum.signing import recover_signer, signed_by

__all__ = ["EthereumChain", "KeystoreSigner", "create_keystore", "recover_signer", "signed_by"]
