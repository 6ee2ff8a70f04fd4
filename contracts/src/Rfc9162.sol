// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Merkle inclusion proofs as in RFC 9162 section 2.1.3.2, with SHA-256
library Rfc9162 {
    /// @notice Whether `leafHash` is leaf `leafIndex` of the tree of `treeSize` leaves with this root.
    /// @dev For an index and a size only one path length is possible, so an inner node does not pass for a leaf.
    function isIncluded(
        bytes32 leafHash,
        uint256 leafIndex,
        uint256 treeSize,
        bytes32[] calldata path,
        bytes32 root
    ) internal pure returns (bool) {
        if (leafIndex >= treeSize) return false;
        uint256 fn = leafIndex;
        uint256 sn = treeSize - 1;
        bytes32 r = leafHash;
        for (uint256 i = 0; i < path.length; ++i) {
            if (sn == 0) return false; // the path is too long
            if (fn & 1 == 1 || fn == sn) {
                r = sha256(bytes.concat(bytes1(0x01), path[i], r));
                while (fn & 1 == 0 && fn != 0) {
                    fn >>= 1;
                    sn >>= 1;
                }
            } else {
                r = sha256(bytes.concat(bytes1(0x01), r, path[i]));
            }
            fn >>= 1;
            sn >>= 1;
        }
        return sn == 0 && r == root; // sn above 0: the path is too short
    }
}
