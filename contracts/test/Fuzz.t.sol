// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "./Base.sol";
import {ICredentialRegistry} from "../src/ICredentialRegistry.sol";

/// @dev A wallet that says yes to what its owner signed, and forgets that its own address should be in it.
contract CarelessWallet is Base {
    address private immutable _owner;

    constructor(address owner) {
        _owner = owner;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        if (signature.length < 65) return 0xffffffff;
        bool yes = ecrecover(digest, uint8(signature[64]), bytes32(signature[:32]), bytes32(signature[32:64])) == _owner;
        return yes ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
    }
}

/// @title One call each, on arbitrary input
contract FuzzTest is Base {
    uint256 private constant KEY = 0xA11CE;
    uint256 private constant START = 1_800_000_000;

    ICredentialRegistry private _registry;
    address private _issuer;

    function setUp() public {
        _registry = deployRegistry();
        _issuer = vm.addr(KEY);
        vm.warp(START);
        vm.roll(1000);
    }

    function signature(bytes32 root, uint64 first, uint32 size, uint256 deadline) private view returns (bytes memory) {
        bytes32 domain = domainOf(block.chainid, address(_registry));
        return signed(KEY, domain, anchorHash(_issuer, root, first, size, _issuer, deadline));
    }

    /// @dev What anchor takes and refuses, said once more.
    function testFuzz_anchor(bytes32 root, uint64 first, uint32 size, uint8 narrow) public {
        if (narrow & 1 == 0) first = 0;
        if (narrow & 2 == 0) size = uint32(uint256(size) % (2 ** 24 + 2));
        bytes4 expected;
        if (root == 0) expected = ICredentialRegistry.ZeroRoot.selector;
        else if (size == 0 || size > 16777216) expected = ICredentialRegistry.InvalidSize.selector;
        else if (first != 0) expected = ICredentialRegistry.UnexpectedFirst.selector;

        vm.prank(_issuer);
        (bool ok, bytes memory answer) =
            address(_registry).call(abi.encodeCall(ICredentialRegistry.anchor, (_issuer, root, first, size)));
        check(ok == (expected == 0) && (ok || selectorOf(answer) == expected), "another outcome");
        (uint32 recorded,,,) = _registry.batchOf(_issuer, root, first);
        check(recorded == (ok ? size : 0) && _registry.nextIndexOf(_issuer) == (ok ? size : 0), "another state");
    }

    /// @dev A bit may be revoked exactly if its credential is anchored: told bit by bit here.
    function testFuzz_revokeBounds(uint32 size, uint256 word, uint256 mask, uint8 shift) public {
        size = 1 + size % 2000;
        word = word % (size / 256 + 3);
        mask = mask >> shift;
        vm.prank(_issuer);
        _registry.anchor(_issuer, bytes32(uint256(1)), 0, size);
        bool allowed = mask != 0;
        for (uint256 bit = 0; bit < 256; ++bit) {
            if (mask & (1 << bit) != 0 && word * 256 + bit >= size) allowed = false;
        }
        uint256[] memory words = new uint256[](1);
        uint256[] memory masks = new uint256[](1);
        (words[0], masks[0]) = (word, mask);
        vm.prank(_issuer);
        (bool ok,) = address(_registry).call(abi.encodeCall(ICredentialRegistry.revoke, (_issuer, words, masks)));
        check(ok == allowed, "another outcome");
        check(_registry.revokedWord(_issuer, word) == (ok ? mask : 0), "another state");
    }

    /// @dev Whatever bit of a signed call is flipped: either it fails, or it does just what was signed.
    function testFuzz_flippedBit(bytes32 root, uint32 size, uint256 position) public {
        vm.assume(root != 0);
        size = 1 + size % 1000;
        uint256 deadline = block.timestamp + 1000;
        bytes memory call = abi.encodeCall(
            ICredentialRegistry.anchorWithSignature,
            (_issuer, root, 0, size, _issuer, deadline, signature(root, 0, size, deadline))
        );
        position = position % (call.length * 8);
        call[position / 8] ^= bytes1(uint8(1 << (position % 8)));
        (bool ok,) = address(_registry).call(call);
        (uint32 recorded,,,) = _registry.batchOf(_issuer, root, 0);
        check(_registry.nextIndexOf(_issuer) == (ok ? size : 0), "another state");
        check(recorded == (ok ? size : 0), "another batch");
        // only the padding behind the 65 bytes of the signature may differ
        check(!ok || position / 8 >= call.length - 31, "another call passed");
    }

    function testFuzz_otherChain(bytes32 root, uint64 chainId) public {
        vm.assume(root != 0 && chainId != 31337 && chainId != 0);
        uint256 deadline = block.timestamp;
        bytes memory proof = signature(root, 0, 1, deadline);
        vm.chainId(chainId);
        expectInvalid(_registry, root, deadline, proof);
        vm.chainId(31337); // a literal: the optimizer takes block.chainid for constant
        _registry.anchorWithSignature(_issuer, root, 0, 1, _issuer, deadline, proof);
    }

    function testFuzz_otherContract(bytes32 root) public {
        vm.assume(root != 0);
        uint256 deadline = block.timestamp;
        bytes memory proof = signature(root, 0, 1, deadline);
        expectInvalid(deployRegistry(), root, deadline, proof);
        _registry.anchorWithSignature(_issuer, root, 0, 1, _issuer, deadline, proof);
    }

    function testFuzz_arbitrarySignature(bytes32 root, bytes calldata proof) public {
        vm.assume(root != 0);
        expectInvalid(_registry, root, block.timestamp, proof);
    }

    function testFuzz_malleated(bytes32 root) public {
        vm.assume(root != 0);
        bytes32 domain = domainOf(block.chainid, address(_registry));
        bytes32 digest = keccak256(
            abi.encodePacked(hex"1901", domain, anchorHash(_issuer, root, 0, 1, _issuer, block.timestamp))
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, digest);
        bytes memory twin = abi.encodePacked(r, bytes32(ORDER - uint256(s)), 55 - v);
        check(ecrecover(digest, 55 - v, r, bytes32(ORDER - uint256(s))) == _issuer, "not a twin");
        expectInvalid(_registry, root, block.timestamp, twin);
    }

    function testFuzz_deadline(uint256 deadline, bool near) public {
        if (near) deadline = START - 100 + deadline % 3800;
        bytes memory proof = signature(bytes32(uint256(1)), 0, 1, deadline);
        (bool ok, bytes memory answer) = address(_registry).call(
            abi.encodeCall(
                ICredentialRegistry.anchorWithSignature,
                (_issuer, bytes32(uint256(1)), 0, 1, _issuer, deadline, proof)
            )
        );
        bytes4 expected = deadline < START
            ? ICredentialRegistry.SignatureExpired.selector
            : ICredentialRegistry.DeadlineTooFar.selector;
        check(ok == (deadline >= START && deadline <= START + 3600), "another outcome");
        check(ok || selectorOf(answer) == expected, "another error");
    }

    /// @dev Two wallets of one owner, both keys of the issuer: what was signed for one is nothing for the other.
    function testFuzz_walletsOfOneOwner(bytes32 root, uint128 tail) public {
        vm.assume(root != 0);
        address one = address(new CarelessWallet(_issuer));
        address other = address(new CarelessWallet(_issuer));
        vm.prank(_issuer);
        _registry.setKey(_issuer, one, ANCHOR);
        vm.prank(_issuer);
        _registry.setKey(_issuer, other, ANCHOR);
        bytes32 domain = domainOf(block.chainid, address(_registry));
        bytes memory proof = abi.encodePacked(
            signed(KEY, domain, anchorHash(_issuer, root, 0, 1, one, block.timestamp)), new bytes(tail % 200)
        );
        (bool ok, bytes memory answer) = address(_registry).call(
            abi.encodeCall(
                ICredentialRegistry.anchorWithSignature, (_issuer, root, 0, 1, other, block.timestamp, proof)
            )
        );
        check(!ok && selectorOf(answer) == ICredentialRegistry.InvalidSignature.selector, "carried over");
        _registry.anchorWithSignature(_issuer, root, 0, 1, one, block.timestamp, proof);
        check(_registry.nextIndexOf(_issuer) == 1, "not anchored");
    }

    /// @dev An account that delegated its code (EIP-7702) signs as before, whatever that code says.
    function testFuzz_delegated(bytes32 root, bytes32 word) public {
        vm.assume(root != 0);
        bytes memory answering = abi.encodePacked(hex"7f", word, hex"5f5260205ff3"); // returns the word
        vm.etch(_issuer, answering);
        uint256 deadline = block.timestamp;
        _registry.anchorWithSignature(_issuer, root, 0, 1, _issuer, deadline, signature(root, 0, 1, deadline));
        check(_registry.nextIndexOf(_issuer) == 1, "not anchored");
    }

    function expectInvalid(ICredentialRegistry target, bytes32 root, uint256 deadline, bytes memory proof) private {
        (bool ok, bytes memory answer) = address(target).call(
            abi.encodeCall(
                ICredentialRegistry.anchorWithSignature, (_issuer, root, 0, 1, _issuer, deadline, proof)
            )
        );
        check(!ok && selectorOf(answer) == ICredentialRegistry.InvalidSignature.selector, "accepted");
    }

    // --- inclusion --------------------------------------------------------------------------------------------------

    function testFuzz_inclusion(uint256 seed, uint8 count, uint8 place, uint8 claimed, uint8 harm) public {
        uint256 size = 1 + count % 70;
        bytes32[] memory leaves = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            leaves[i] = keccak256(abi.encode(seed, i));
        }
        bytes32 root = rootOf(leaves, 0, size);
        vm.prank(_issuer);
        _registry.anchor(_issuer, root, 0, uint32(size));

        uint256 index = place % size;
        bytes32[] memory path = pathOf(leaves, 0, size, index);
        (bool included,,) = _registry.check(_issuer, root, 0, leaves[index], index, path);
        check(included, "a leaf of the tree was refused");

        (included,,) = _registry.check(_issuer, root, 0, leaves[index], claimed, path);
        check(included == (claimed == index), "a leaf at another place");
        (included,,) = _registry.check(_issuer, root, 0, keccak256(abi.encode(leaves[index])), index, path);
        check(!included, "another leaf");
        bytes32[] memory longer = new bytes32[](path.length + 1);
        for (uint256 i = 0; i < path.length; ++i) {
            longer[i] = path[i];
        }
        (included,,) = _registry.check(_issuer, root, 0, leaves[index], index, longer);
        check(!included, "a path too long");
        if (path.length > 0) {
            path[harm % path.length] ^= bytes32(1 << harm);
            (included,,) = _registry.check(_issuer, root, 0, leaves[index], index, path);
            check(!included, "another path");
        }
    }

    /// @dev RFC 9162 section 2.1.1, over leaf hashes.
    function rootOf(bytes32[] memory leaves, uint256 from, uint256 to) private pure returns (bytes32) {
        if (to - from == 1) return leaves[from];
        uint256 middle = from + split(to - from);
        return sha256(abi.encodePacked(hex"01", rootOf(leaves, from, middle), rootOf(leaves, middle, to)));
    }

    /// @dev RFC 9162 section 2.1.3.1.
    function pathOf(bytes32[] memory leaves, uint256 from, uint256 to, uint256 index)
        private
        pure
        returns (bytes32[] memory path)
    {
        if (to - from == 1) return new bytes32[](0);
        uint256 middle = from + split(to - from);
        bool left = index < middle;
        bytes32[] memory below = left ? pathOf(leaves, from, middle, index) : pathOf(leaves, middle, to, index);
        path = new bytes32[](below.length + 1);
        for (uint256 i = 0; i < below.length; ++i) {
            path[i] = below[i];
        }
        path[below.length] = left ? rootOf(leaves, middle, to) : rootOf(leaves, from, middle);
    }

    /// @dev The largest power of two below size.
    function split(uint256 size) private pure returns (uint256 k) {
        k = 1;
        while (k * 2 < size) k *= 2;
    }
}
