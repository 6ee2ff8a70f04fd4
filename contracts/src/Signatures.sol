// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Signatures of accounts (ECDSA) and of contract wallets (EIP-1271)
library Signatures {
    bytes4 private constant MAGIC_VALUE = 0x1626ba7e; // isValidSignature(bytes32,bytes)

    /// @dev Half the order of secp256k1: a signature with s above it is the malleated twin of one below.
    uint256 private constant MAXIMAL_S = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    /// @notice Whether `signature` is one of `signer` over `digest`.
    /// @dev ECDSA comes first: an account with EIP-7702 code still signs with its key.
    function isValid(address signer, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        if (signer == address(0)) return false;
        if (recover(digest, signature) == signer) return true;
        return signer.code.length != 0 && isValidByContract(signer, digest, signature);
    }

    /// @return signer who signed by ECDSA, zero if the signature is malformed
    function recover(bytes32 digest, bytes calldata signature) private pure returns (address signer) {
        if (signature.length != 65) return address(0);
        bytes32 r = bytes32(signature[:32]);
        bytes32 s = bytes32(signature[32:64]);
        uint8 v = uint8(signature[64]);
        if (uint256(s) > MAXIMAL_S || (v != 27 && v != 28)) return address(0);
        return ecrecover(digest, v, r, s);
    }

    /// @dev Reads one word of the answer and no more, so that a long answer costs the caller nothing. A revert, an
    /// answer shorter than a word and any other value mean no.
    function isValidByContract(address signer, bytes32 digest, bytes calldata signature) private view returns (bool) {
        bytes memory input = abi.encodeWithSelector(MAGIC_VALUE, digest, signature);
        bool answered;
        bytes32 answer;
        assembly ("memory-safe") {
            answered := staticcall(gas(), signer, add(input, 0x20), mload(input), 0x00, 0x20)
            answered := and(answered, gt(returndatasize(), 0x1f))
            answer := mload(0x00)
        }
        return answered && answer == bytes32(MAGIC_VALUE);
    }
}
