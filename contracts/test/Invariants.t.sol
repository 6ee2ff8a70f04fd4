// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "./Base.sol";
import {ICredentialRegistry} from "../src/ICredentialRegistry.sol";

/// @title Calls the registry in every way, beside a second, naive book of what should be so
/// @dev Each public function is one step. It decides from the book whether the call must succeed, and reverts if it
/// does not come out that way; with `fail_on_revert` that fails the test. So no step is in vain.
contract Handler is Base {
    struct Record {
        bytes32 root;
        uint64 first;
        uint32 size;
        uint64 anchoredAt;
        uint64 blockNumber;
        uint64 revokedAt;
    }

    struct Act {
        uint256 who;
        address issuer;
        address signer;
        uint64 nonce;
        uint256 deadline;
        bool bySignature;
    }

    uint256 public constant ISSUERS = 3;
    uint256 public constant ACTORS = 6; // the first three are the issuers' own addresses

    ICredentialRegistry public immutable registry;
    ICredentialRegistry public immutable otherRegistry;

    mapping(address issuer => Record[]) private _records;
    mapping(address issuer => address) public controller;
    mapping(address issuer => address) public candidate;
    mapping(address issuer => uint32) public epoch;
    mapping(address issuer => uint64) public nonce;
    mapping(address issuer => uint64) public next;
    mapping(address issuer => mapping(address key => uint8)) public roles; // of the current epoch
    mapping(address issuer => mapping(uint256 word => uint256)) public revoked;
    mapping(address issuer => mapping(uint256 word => uint256)) public suspended;
    mapping(address issuer => uint64) public claimed;
    mapping(string what => uint256) public count;

    address[] private _actors;
    uint256 private _seed;
    // The book's own clock: the optimizer takes block.timestamp for constant within a call, and vm.warp changes it.
    uint64 private _time = 1_800_000_000;
    uint64 private _number = 1000;

    constructor() {
        registry = deployRegistry();
        otherRegistry = deployRegistry();
        for (uint256 i = 0; i < ACTORS; ++i) {
            _actors.push(vm.addr(key(i)));
            if (i < ISSUERS) controller[_actors[i]] = _actors[i];
        }
    }

    function actor(uint256 number) public view returns (address) {
        return _actors[number];
    }

    function key(uint256 number) private pure returns (uint256) {
        return uint256(keccak256(abi.encode("actor", number)));
    }

    function recordsOf(address issuer) external view returns (Record[] memory) {
        return _records[issuer];
    }

    /// @dev The book's answer to: may this actor do that?
    function entitled(address issuer, address who, uint8 role) public view returns (bool) {
        return who == controller[issuer] || roles[issuer][who] & role != 0;
    }

    // --- steps ------------------------------------------------------------------------------------------------------

    function anchor(uint256 seed) external {
        (address issuer, uint256 who) = begin(seed, ANCHOR);
        bytes32 root = bytes32(random(8)); // few roots, so that they recur in other places
        uint64 first = next[issuer];
        uint32 size = uint32(random(10) == 0 ? 1 + random(600) : 1 + random(30));
        bytes4 expected;
        if (!entitled(issuer, actor(who), ANCHOR)) expected = ICredentialRegistry.NotEntitled.selector;
        else if (root == 0) expected = ICredentialRegistry.ZeroRoot.selector;
        act(who, issuer, abi.encode(root, first, size), "anchor", expected);
        if (expected == 0) {
            next[issuer] += size;
            _records[issuer].push(Record(root, first, size, _time, _number, 0));
        }
    }

    /// @dev Anywhere but at the next index: a repeat, another size, a gap, an overlap.
    function anchorElsewhere(uint256 seed) external {
        (address issuer, uint256 who) = begin(seed, ANCHOR);
        uint64 first = next[issuer] + uint64(1 + random(5));
        uint32 size = uint32(1 + random(30));
        bytes32 root = bytes32(1 + random(7));
        bytes4 expected = ICredentialRegistry.UnexpectedFirst.selector;
        if (_records[issuer].length > 0 && random(4) != 0) {
            Record memory old = _records[issuer][random(_records[issuer].length)];
            uint256 kind = random(4);
            (root, first, size) = (old.root, old.first, old.size);
            if (kind == 0) {
                size += 1;
                expected = ICredentialRegistry.BatchExists.selector;
            } else if (kind == 1) {
                root = keccak256(abi.encode(root));
            } else {
                expected = 0; // the identical repeat
            }
        }
        if (!entitled(issuer, actor(who), ANCHOR)) expected = ICredentialRegistry.NotEntitled.selector;
        act(who, issuer, abi.encode(root, first, size), "anchor", expected);
        if (expected == 0) count["repeated"] += 1;
    }

    function revokeBatch(uint256 seed) external {
        (address issuer, uint256 who) = begin(seed, 0);
        uint256 length = _records[issuer].length;
        bool exists = length > 0 && random(8) != 0;
        uint256 which = exists ? random(length) : 0;
        (bytes32 root, uint64 first) =
            exists ? (_records[issuer][which].root, _records[issuer][which].first) : (bytes32(uint256(99)), uint64(0));
        bytes4 expected;
        if (actor(who) != controller[issuer]) expected = ICredentialRegistry.NotController.selector;
        else if (!exists) expected = ICredentialRegistry.UnknownBatch.selector;
        act(who, issuer, abi.encode(root, first), "revokeBatch", expected);
        if (expected == 0 && _records[issuer][which].revokedAt == 0) {
            _records[issuer][which].revokedAt = _time;
            nonce[issuer] += 1;
        }
    }

    function revoke(uint256 seed) external {
        (address issuer, uint256 who) = begin(seed, REVOKE);
        (uint256[] memory words, uint256[] memory masks, bool inside) = bits(issuer);
        bytes4 expected;
        if (!entitled(issuer, actor(who), REVOKE)) expected = ICredentialRegistry.NotEntitled.selector;
        else if (!inside) expected = ICredentialRegistry.NotAnchored.selector;
        act(who, issuer, abi.encode(words, masks), "revoke", expected);
        for (uint256 i = 0; expected == 0 && i < words.length; ++i) {
            revoked[issuer][words[i]] |= masks[i];
        }
    }

    function setSuspension(uint256 seed) external {
        (address issuer, uint256 who) = begin(seed, SUSPEND);
        (uint256[] memory words, uint256[] memory masks, bool inside) = bits(issuer);
        uint256[] memory setMasks = new uint256[](words.length);
        uint256[] memory clearMasks = new uint256[](words.length);
        for (uint256 i = 0; i < words.length; ++i) {
            uint256 which = uint256(keccak256(abi.encode(seed, i)));
            (setMasks[i], clearMasks[i]) = (masks[i] & which, masks[i] & ~which);
        }
        uint64 given = nonce[issuer];
        bytes4 expected;
        if (!entitled(issuer, actor(who), SUSPEND)) {
            expected = ICredentialRegistry.NotEntitled.selector;
        } else if (random(8) == 0) {
            given += 1;
            expected = ICredentialRegistry.InvalidNonce.selector;
        } else if (!inside) {
            expected = ICredentialRegistry.NotAnchored.selector;
        }
        act(who, issuer, abi.encode(given, words, setMasks, clearMasks), "setSuspension", expected);
        if (expected != 0) return;
        nonce[issuer] += 1;
        for (uint256 i = 0; i < words.length; ++i) {
            suspended[issuer][words[i]] = (suspended[issuer][words[i]] | setMasks[i]) & ~clearMasks[i];
        }
    }

    function setKey(uint256 seed) external {
        (address issuer, uint256 who) = begin(seed, 0);
        address target = actor(random(ACTORS));
        uint8 given = uint8(random(9));
        bytes4 expected;
        if (actor(who) != controller[issuer]) expected = ICredentialRegistry.NotController.selector;
        else if (given == 8) expected = ICredentialRegistry.UnknownRoles.selector;
        act(who, issuer, abi.encode(target, given), "setKey", expected);
        if (expected == 0) {
            roles[issuer][target] = given;
            nonce[issuer] += 1;
        }
    }

    function proposeController(uint256 seed) external {
        (address issuer, uint256 who) = begin(seed, 0);
        address target = random(5) == 0 ? address(0) : actor(random(ACTORS));
        bytes4 expected;
        if (actor(who) != controller[issuer]) expected = ICredentialRegistry.NotController.selector;
        act(who, issuer, abi.encode(target), "proposeController", expected);
        if (expected == 0) {
            candidate[issuer] = target;
            nonce[issuer] += 1;
        }
    }

    function acceptController(uint256 seed) external {
        (address issuer, uint256 who) = begin(seed, 0);
        for (uint256 i = 0; i < ACTORS && seed % 3 != 0; ++i) {
            if (actor(i) == candidate[issuer]) who = i;
        }
        bytes4 expected;
        if (actor(who) != candidate[issuer]) expected = ICredentialRegistry.NotCandidate.selector;
        act(who, issuer, "", "acceptController", expected);
        if (expected == 0) {
            controller[issuer] = actor(who);
            candidate[issuer] = address(0);
            epoch[issuer] += 1;
            nonce[issuer] += 1;
            for (uint256 i = 0; i < ACTORS; ++i) {
                delete roles[issuer][actor(i)];
            }
        }
    }

    function setDid(uint256 seed) external {
        (address issuer, uint256 who) = begin(seed, 0);
        bytes4 expected;
        if (actor(who) != controller[issuer]) expected = ICredentialRegistry.NotController.selector;
        act(who, issuer, abi.encode("did:web:example.edu", bytes32(uint256(1))), "setDid", expected);
        if (expected == 0) {
            if (claimed[issuer] == 0) claimed[issuer] = _time;
            nonce[issuer] += 1;
        }
    }

    /// @dev A good signature over an anchor, used for anything else.
    function misuse(uint256 seed) external {
        (address issuer,) = begin(seed, ANCHOR);
        uint256 who = find(controller[issuer]);
        address signer = actor(who);
        (bytes32 root, uint64 first, uint32 size) = (bytes32(1 + random(7)), next[issuer], uint32(1 + random(30)));
        uint256 deadline = _time + random(3600);
        uint256 kind = random(9);
        bytes32 domain = domainOf(
            kind == 0 ? block.chainid + 1 : block.chainid, kind == 1 ? address(otherRegistry) : address(registry)
        );
        bytes memory proof = signed(key(who), domain, anchorHash(issuer, root, first, size, signer, deadline));
        if (kind == 2) issuer = actor((find(issuer) + 1) % ISSUERS);
        if (kind == 3) root = keccak256(abi.encode(root));
        if (kind == 4) first += 1;
        if (kind == 5) size += 1;
        if (kind == 6) signer = actor((who + 1) % ACTORS);
        if (kind == 7) deadline += 1;
        if (kind == 8) proof[random(65)] ^= bytes1(uint8(1 << random(8)));
        (bool ok, bytes memory answer) = address(registry).call(
            abi.encodeCall(
                ICredentialRegistry.anchorWithSignature, (issuer, root, first, size, signer, deadline, proof)
            )
        );
        check(!ok, "a signature was good for something else");
        check(selectorOf(answer) == ICredentialRegistry.InvalidSignature.selector, "refused, but not as a signature");
        count["misused"] += 1;
    }

    // --- how a step is made -------------------------------------------------------------------------------------------

    function random(uint256 below) private returns (uint256) {
        _seed = uint256(keccak256(abi.encode(_seed)));
        return _seed % below;
    }

    /// @dev Time passes; an issuer is chosen, and mostly somebody who has the role.
    function begin(uint256 seed, uint8 role) private returns (address issuer, uint256 who) {
        _seed = seed;
        _time += uint64(1 + random(5000));
        _number += uint64(1 + random(100));
        vm.warp(_time);
        vm.roll(_number);
        issuer = actor(random(ISSUERS));
        who = random(ACTORS);
        for (uint256 i = 0; i < ACTORS && random(4) != 0; ++i) {
            if (entitled(issuer, actor(who), role)) break;
            who = (who + 1) % ACTORS;
        }
    }

    function find(address wanted) private view returns (uint256 number) {
        while (actor(number) != wanted) ++number;
    }

    /// @dev Entries of some anchored credentials, and now and then one that is not.
    function bits(address issuer) private returns (uint256[] memory words, uint256[] memory masks, bool inside) {
        uint256 length = 1 + random(3);
        words = new uint256[](length);
        masks = new uint256[](length);
        inside = next[issuer] > 0;
        for (uint256 i = 0; i < length; ++i) {
            uint256 index = inside ? random(next[issuer]) : random(300);
            if (random(20) == 0) {
                index = next[issuer] + random(300);
                inside = false;
            }
            words[i] = index / 256;
            masks[i] = 1 << (index % 256);
        }
    }

    /// @dev Makes the call as `who`, directly or signed, and requires that it comes out as expected.
    function act(uint256 who, address issuer, bytes memory data, string memory name, bytes4 expected) private {
        Act memory a = Act(who, issuer, actor(who), nonce[issuer], _time + random(3601), random(3) == 0);
        bytes memory call = callOf(a, data, name);
        vm.prank(a.bySignature ? address(0xBEEF) : a.signer);
        (bool ok, bytes memory answer) = address(registry).call(call);
        check(ok == (expected == 0), ok ? "succeeded, should not" : "failed, should not");
        check(ok || selectorOf(answer) == expected, "another error");
        if (ok) count[name] += 1;
        else count["refused"] += 1;
        if (ok && a.bySignature) count["signed"] += 1;
        if (expected == ICredentialRegistry.NotEntitled.selector || expected == ICredentialRegistry.NotController.selector) {
            if (epoch[issuer] > 0 && actor(who) == issuer) count["former"] += 1;
        }
    }

    function same(string memory a, string memory b) private pure returns (bool) {
        return keccak256(bytes(a)) == keccak256(bytes(b));
    }

    function callOf(Act memory a, bytes memory data, string memory name) private view returns (bytes memory) {
        if (same(name, "anchor")) return anchorCall(a, data);
        if (same(name, "revokeBatch")) return revokeBatchCall(a, data);
        if (same(name, "revoke")) return revokeCall(a, data);
        if (same(name, "setSuspension")) return setSuspensionCall(a, data);
        if (same(name, "setKey")) return setKeyCall(a, data);
        if (same(name, "proposeController")) return proposeControllerCall(a, data);
        if (same(name, "acceptController")) return acceptControllerCall(a);
        check(same(name, "setDid"), "no such call");
        return setDidCall(a, data);
    }

    function prove(Act memory a, bytes memory encoded) private view returns (bytes memory) {
        return signed(key(a.who), domainOf(block.chainid, address(registry)), keccak256(encoded));
    }

    function hash(uint256[] memory values) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(values));
    }

    function anchorCall(Act memory a, bytes memory data) private view returns (bytes memory) {
        (bytes32 root, uint64 first, uint32 size) = abi.decode(data, (bytes32, uint64, uint32));
        if (!a.bySignature) return abi.encodeCall(ICredentialRegistry.anchor, (a.issuer, root, first, size));
        bytes memory proof = prove(a, encodedAnchor(a.issuer, root, first, size, a.signer, a.deadline));
        return abi.encodeCall(
            ICredentialRegistry.anchorWithSignature, (a.issuer, root, first, size, a.signer, a.deadline, proof)
        );
    }

    function revokeBatchCall(Act memory a, bytes memory data) private view returns (bytes memory) {
        (bytes32 root, uint64 first) = abi.decode(data, (bytes32, uint64));
        if (!a.bySignature) return abi.encodeCall(ICredentialRegistry.revokeBatch, (a.issuer, root, first));
        bytes32 kind = keccak256(
            "RevokeBatch(address issuer,bytes32 root,uint64 first,uint64 nonce,address signer,uint256 deadline)"
        );
        bytes memory proof = prove(a, abi.encode(kind, a.issuer, root, first, a.nonce, a.signer, a.deadline));
        return abi.encodeCall(
            ICredentialRegistry.revokeBatchWithSignature,
            (a.issuer, root, first, a.nonce, a.signer, a.deadline, proof)
        );
    }

    function revokeCall(Act memory a, bytes memory data) private view returns (bytes memory) {
        (uint256[] memory words, uint256[] memory masks) = abi.decode(data, (uint256[], uint256[]));
        if (!a.bySignature) return abi.encodeCall(ICredentialRegistry.revoke, (a.issuer, words, masks));
        bytes32 kind =
            keccak256("Revoke(address issuer,uint256[] words,uint256[] masks,address signer,uint256 deadline)");
        bytes memory proof = prove(a, abi.encode(kind, a.issuer, hash(words), hash(masks), a.signer, a.deadline));
        return abi.encodeCall(
            ICredentialRegistry.revokeWithSignature, (a.issuer, words, masks, a.signer, a.deadline, proof)
        );
    }

    function setSuspensionCall(Act memory a, bytes memory data) private view returns (bytes memory) {
        (uint64 given, uint256[] memory words, uint256[] memory setMasks, uint256[] memory clearMasks) =
            abi.decode(data, (uint64, uint256[], uint256[], uint256[]));
        if (!a.bySignature) {
            return abi.encodeCall(ICredentialRegistry.setSuspension, (a.issuer, given, words, setMasks, clearMasks));
        }
        bytes32 kind = keccak256(
            "SetSuspension(address issuer,uint64 nonce,uint256[] words,uint256[] setMasks,uint256[] clearMasks,address signer,uint256 deadline)"
        );
        bytes memory hashes = abi.encode(hash(words), hash(setMasks), hash(clearMasks));
        bytes memory proof =
            prove(a, bytes.concat(abi.encode(kind, a.issuer, given), hashes, abi.encode(a.signer, a.deadline)));
        return abi.encodeCall(
            ICredentialRegistry.setSuspensionWithSignature,
            (a.issuer, given, words, setMasks, clearMasks, a.signer, a.deadline, proof)
        );
    }

    function setKeyCall(Act memory a, bytes memory data) private view returns (bytes memory) {
        (address target, uint8 given) = abi.decode(data, (address, uint8));
        if (!a.bySignature) return abi.encodeCall(ICredentialRegistry.setKey, (a.issuer, target, given));
        bytes32 kind =
            keccak256("SetKey(address issuer,address key,uint8 roles,uint64 nonce,address signer,uint256 deadline)");
        bytes memory proof = prove(a, abi.encode(kind, a.issuer, target, given, a.nonce, a.signer, a.deadline));
        return abi.encodeCall(
            ICredentialRegistry.setKeyWithSignature,
            (a.issuer, target, given, a.nonce, a.signer, a.deadline, proof)
        );
    }

    function proposeControllerCall(Act memory a, bytes memory data) private view returns (bytes memory) {
        address target = abi.decode(data, (address));
        if (!a.bySignature) return abi.encodeCall(ICredentialRegistry.proposeController, (a.issuer, target));
        bytes32 kind = keccak256(
            "ProposeController(address issuer,address candidate,uint64 nonce,address signer,uint256 deadline)"
        );
        bytes memory proof = prove(a, abi.encode(kind, a.issuer, target, a.nonce, a.signer, a.deadline));
        return abi.encodeCall(
            ICredentialRegistry.proposeControllerWithSignature,
            (a.issuer, target, a.nonce, a.signer, a.deadline, proof)
        );
    }

    function acceptControllerCall(Act memory a) private view returns (bytes memory) {
        if (!a.bySignature) return abi.encodeCall(ICredentialRegistry.acceptController, (a.issuer));
        bytes32 kind = keccak256("AcceptController(address issuer,uint64 nonce,address signer,uint256 deadline)");
        bytes memory proof = prove(a, abi.encode(kind, a.issuer, a.nonce, a.signer, a.deadline));
        return abi.encodeCall(
            ICredentialRegistry.acceptControllerWithSignature, (a.issuer, a.nonce, a.signer, a.deadline, proof)
        );
    }

    function setDidCall(Act memory a, bytes memory data) private view returns (bytes memory) {
        (string memory did, bytes32 document) = abi.decode(data, (string, bytes32));
        if (!a.bySignature) return abi.encodeCall(ICredentialRegistry.setDid, (a.issuer, did, document));
        bytes32 kind = keccak256(
            "SetDid(address issuer,string did,bytes32 documentHash,uint64 nonce,address signer,uint256 deadline)"
        );
        bytes memory proof = prove(
            a, abi.encode(kind, a.issuer, keccak256(bytes(did)), document, a.nonce, a.signer, a.deadline)
        );
        return abi.encodeCall(
            ICredentialRegistry.setDidWithSignature, (a.issuer, did, document, a.nonce, a.signer, a.deadline, proof)
        );
    }
}

/// @title What is so after any sequence of calls
/// @dev One invariant of five parts, because each function `invariant_…` has runs of its own.
contract InvariantsTest is Base {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Handler private _handler;
    ICredentialRegistry private _registry;

    function setUp() public {
        _handler = new Handler();
        _registry = _handler.registry();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @dev Anchoring is drawn more often, so that there is something to revoke.
    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory steps = new bytes4[](10);
        steps[0] = Handler.anchor.selector;
        steps[1] = Handler.anchorElsewhere.selector;
        steps[2] = Handler.revokeBatch.selector;
        steps[3] = Handler.revoke.selector;
        steps[4] = Handler.setSuspension.selector;
        steps[5] = Handler.setKey.selector;
        steps[6] = Handler.proposeController.selector;
        steps[7] = Handler.acceptController.selector;
        steps[8] = Handler.setDid.selector;
        steps[9] = Handler.misuse.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(_handler), steps);
    }

    function invariant_theRegistryIsWhatTheBookSays() external view {
        for (uint256 i = 0; i < _handler.ISSUERS(); ++i) {
            address issuer = _handler.actor(i);
            checkBatches(issuer);
            checkStatus(issuer);
            checkRights(issuer);
            checkClaims(issuer);
            // signatures were tried for another contract: nothing may have arrived there
            check(_handler.otherRegistry().nextIndexOf(issuer) == 0, "anchored in the other registry");
        }
    }

    /// @dev The batches tile 0 … nextIndex without gap or overlap; each record stands as it was first written.
    function checkBatches(address issuer) private view {
        Handler.Record[] memory records = _handler.recordsOf(issuer);
        uint64 end = 0;
        for (uint256 j = 0; j < records.length; ++j) {
            Handler.Record memory record = records[j];
            check(record.first == end, "a gap or an overlap");
            end += record.size;
            (uint32 size, uint64 anchoredAt, uint64 revokedAt, uint64 number) =
                _registry.batchOf(issuer, record.root, record.first);
            check(size == record.size && anchoredAt == record.anchoredAt, "a record was rewritten");
            check(number == record.blockNumber && revokedAt == record.revokedAt, "a record was rewritten");
        }
        check(_registry.nextIndexOf(issuer) == end, "nextIndex is not the end of the last batch");
    }

    /// @dev The book only ever adds revocation bits.
    function checkStatus(address issuer) private view {
        for (uint256 word = 0; word <= _registry.nextIndexOf(issuer) / 256 + 2; ++word) {
            check(_registry.revokedWord(issuer, word) == _handler.revoked(issuer, word), "revocations differ");
            check(_registry.suspendedWord(issuer, word) == _handler.suspended(issuer, word), "suspensions differ");
        }
    }

    /// @dev Nobody has a right but the controller and the keys it gave since it took over.
    function checkRights(address issuer) private view {
        check(_registry.controllerOf(issuer) == _handler.controller(issuer), "another controller");
        check(_registry.candidateOf(issuer) == _handler.candidate(issuer), "another candidate");
        check(_registry.epochOf(issuer) == _handler.epoch(issuer), "another epoch");
        check(_registry.nonceOf(issuer) == _handler.nonce(issuer), "another counter");
        for (uint256 j = 0; j < _handler.ACTORS(); ++j) {
            address who = _handler.actor(j);
            uint8 roles = who == _handler.controller(issuer) ? 7 : _handler.roles(issuer, who);
            check(_registry.rolesOf(issuer, who) == roles, "other roles");
        }
    }

    function checkClaims(address issuer) private view {
        check(
            _registry.claimedAt(issuer, "did:web:example.edu", bytes32(uint256(1))) == _handler.claimed(issuer),
            "a claim changed"
        );
    }

    /// @dev Each run must have done something of each kind, or the invariants above mean nothing.
    function afterInvariant() external view {
        string[12] memory names = [
            "anchor", "revokeBatch", "revoke", "setSuspension", "setKey", "proposeController", "acceptController",
            "setDid", "repeated", "refused", "signed", "misused"
        ];
        for (uint256 i = 0; i < names.length; ++i) {
            check(_handler.count(names[i]) > 0, string.concat("this run never had: ", names[i]));
        }
        check(_handler.count("former") > 0, "no former controller tried anything in this run");
    }
}
