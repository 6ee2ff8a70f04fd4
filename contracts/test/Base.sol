// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICredentialRegistry} from "../src/ICredentialRegistry.sol";

/// @dev The cheat codes that these tests use.
interface Vm {
    function addr(uint256 privateKey) external pure returns (address);
    function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function prank(address sender) external;
    function warp(uint256 timestamp) external;
    function roll(uint256 number) external;
    function chainId(uint256 id) external;
    function etch(address target, bytes calldata code) external;
    function assume(bool condition) external pure;
    function envBytes(string calldata name) external view returns (bytes memory);
}

/// @title What every contract test needs: cheat codes, assertions, typed data written out anew
abstract contract Base {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint256 internal constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    uint8 internal constant ANCHOR = 1;
    uint8 internal constant REVOKE = 2;
    uint8 internal constant SUSPEND = 4;

    /// @dev A registry made of the bytecode that scripts/test_contracts hands over: the committed artifact, which is what
    /// gets deployed, or a copy with a planted bug.
    function deployRegistry() internal returns (ICredentialRegistry registry) {
        bytes memory code = vm.envBytes("REGISTRY_BYTECODE");
        assembly {
            registry := create(0, add(code, 0x20), mload(code))
        }
        check(address(registry).code.length > 0, "not deployed: run the tests by scripts/test_contracts");
    }

    function check(bool condition, string memory what) internal pure {
        require(condition, what);
    }

    function selectorOf(bytes memory data) internal pure returns (bytes4 selector) {
        if (data.length >= 4) selector = bytes4(data);
    }

    function domainOf(uint256 chainId, address target) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("CredentialRegistry"),
                keccak256("1"),
                chainId,
                target
            )
        );
    }

    function signed(uint256 privateKey, bytes32 domain, bytes32 structHash) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(privateKey, keccak256(abi.encodePacked(hex"1901", domain, structHash)));
        return abi.encodePacked(r, s, v);
    }

    function encodedAnchor(address issuer, bytes32 root, uint64 first, uint32 size, address signer, uint256 deadline)
        internal
        pure
        returns (bytes memory)
    {
        bytes32 kind = keccak256(
            "Anchor(address issuer,bytes32 root,uint64 first,uint32 size,address signer,uint256 deadline)"
        );
        return abi.encode(kind, issuer, root, first, size, signer, deadline);
    }

    function anchorHash(address issuer, bytes32 root, uint64 first, uint32 size, address signer, uint256 deadline)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(encodedAnchor(issuer, root, first, size, signer, deadline));
    }
}
