// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICredentialRegistry} from "./ICredentialRegistry.sol";
import {Rfc9162} from "./Rfc9162.sol";
import {Signatures} from "./Signatures.sol";

/// @title The credential registry
/// @dev No owner, no proxy, no constructor arguments, no immutables, no assumption about the chain: the same code, and
/// through the deterministic deployer the same address, everywhere. A direct call and its signed twin share one private
/// function, which takes the acting account as `caller`. The registry calls nobody but, statically, contract wallets.
contract CredentialRegistry is ICredentialRegistry {
    /// @dev Two slots: controller, nextIndex, epoch; and candidate, nonce.
    struct Account {
        address controller; // zero: never handed over
        uint64 nextIndex;
        uint32 epoch;
        address candidate;
        uint64 nonce;
    }

    /// @dev One slot.
    struct Batch {
        uint32 size; // zero: no such batch
        uint64 anchoredAt;
        uint64 revokedAt;
        uint64 blockNumber;
    }

    uint8 private constant ANCHOR = 1;
    uint8 private constant REVOKE = 2;
    uint8 private constant SUSPEND = 4;
    uint8 private constant ALL_ROLES = ANCHOR | REVOKE | SUSPEND;

    uint256 private constant MAXIMAL_SIZE = 2 ** 24;
    uint256 private constant MAXIMAL_NEXT_INDEX = 2 ** 53; // JSON numbers are exact up to here
    uint256 private constant MAXIMAL_DID_LENGTH = 2048;
    uint256 private constant MAXIMAL_DELAY = 1 hours;

    string private constant NAME = "CredentialRegistry";
    string private constant VERSION = "1";
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant ANCHOR_TYPE =
        keccak256("Anchor(address issuer,bytes32 root,uint64 first,uint32 size,address signer,uint256 deadline)");
    bytes32 private constant REVOKE_TYPE =
        keccak256("Revoke(address issuer,uint256[] words,uint256[] masks,address signer,uint256 deadline)");
    bytes32 private constant REVOKE_BATCH_TYPE = keccak256(
        "RevokeBatch(address issuer,bytes32 root,uint64 first,uint64 nonce,address signer,uint256 deadline)"
    );
    bytes32 private constant SET_SUSPENSION_TYPE = keccak256(
        "SetSuspension(address issuer,uint64 nonce,uint256[] words,uint256[] setMasks,uint256[] clearMasks,address signer,uint256 deadline)"
    );
    bytes32 private constant SET_KEY_TYPE =
        keccak256("SetKey(address issuer,address key,uint8 roles,uint64 nonce,address signer,uint256 deadline)");
    bytes32 private constant PROPOSE_CONTROLLER_TYPE =
        keccak256("ProposeController(address issuer,address candidate,uint64 nonce,address signer,uint256 deadline)");
    bytes32 private constant ACCEPT_CONTROLLER_TYPE =
        keccak256("AcceptController(address issuer,uint64 nonce,address signer,uint256 deadline)");
    bytes32 private constant SET_DID_TYPE = keccak256(
        "SetDid(address issuer,string did,bytes32 documentHash,uint64 nonce,address signer,uint256 deadline)"
    );

    mapping(address issuer => Account) private _accounts;
    mapping(address issuer => mapping(uint32 epoch => mapping(address key => uint8 roles))) private _roles;
    mapping(address issuer => mapping(bytes32 batchId => Batch)) private _batches;
    mapping(address issuer => mapping(uint256 word => uint256 bits)) private _revoked;
    mapping(address issuer => mapping(uint256 word => uint256 bits)) private _suspended;
    mapping(address issuer => mapping(bytes32 claimId => uint64 time)) private _claimedAt;

    // --- batches ----------------------------------------------------------------------------------------------------

    /// @inheritdoc ICredentialRegistry
    function anchor(address issuer, bytes32 root, uint64 first, uint32 size) external {
        _anchor(msg.sender, issuer, root, first, size);
    }

    /// @inheritdoc ICredentialRegistry
    function anchorWithSignature(
        address issuer,
        bytes32 root,
        uint64 first,
        uint32 size,
        address signer,
        uint256 deadline,
        bytes calldata signature
    ) external {
        _requireSignature(
            keccak256(abi.encode(ANCHOR_TYPE, issuer, root, first, size, signer, deadline)),
            signer,
            deadline,
            signature
        );
        _anchor(signer, issuer, root, first, size);
    }

    /// @dev Entitlement comes before the repeat: success always means that the caller had the right.
    function _anchor(address caller, address issuer, bytes32 root, uint64 first, uint32 size) private {
        _requireRole(caller, issuer, ANCHOR);
        if (root == 0) revert ZeroRoot(issuer);
        if (size == 0 || size > MAXIMAL_SIZE) revert InvalidSize(size);
        Batch storage batch = _batches[issuer][_batchId(root, first)];
        uint32 recordedSize = batch.size;
        if (recordedSize == size) return;
        if (recordedSize != 0) revert BatchExists(issuer, root, first, recordedSize);
        Account storage account = _accounts[issuer];
        uint64 nextIndex = account.nextIndex;
        if (first != nextIndex) revert UnexpectedFirst(issuer, nextIndex, first);
        uint256 end = uint256(first) + size;
        if (end > MAXIMAL_NEXT_INDEX) revert SequenceExhausted(issuer, first, size);

        account.nextIndex = uint64(end);
        batch.size = size;
        batch.anchoredAt = uint64(block.timestamp);
        batch.blockNumber = uint64(block.number);
        emit BatchAnchored(issuer, root, first, size);
    }

    /// @inheritdoc ICredentialRegistry
    function revokeBatch(address issuer, bytes32 root, uint64 first) external {
        _revokeBatch(msg.sender, issuer, root, first, _accounts[issuer].nonce);
    }

    /// @inheritdoc ICredentialRegistry
    function revokeBatchWithSignature(
        address issuer,
        bytes32 root,
        uint64 first,
        uint64 nonce,
        address signer,
        uint256 deadline,
        bytes calldata signature
    ) external {
        _requireSignature(
            keccak256(abi.encode(REVOKE_BATCH_TYPE, issuer, root, first, nonce, signer, deadline)),
            signer,
            deadline,
            signature
        );
        _revokeBatch(signer, issuer, root, first, nonce);
    }

    function _revokeBatch(address caller, address issuer, bytes32 root, uint64 first, uint64 nonce) private {
        _requireController(caller, issuer);
        Batch storage batch = _batches[issuer][_batchId(root, first)];
        if (batch.size == 0) revert UnknownBatch(issuer, root, first);
        if (batch.revokedAt != 0) return;
        _useNonce(issuer, nonce);

        batch.revokedAt = uint64(block.timestamp);
        emit BatchRevoked(issuer, root, first);
    }

    // --- status of single credentials -------------------------------------------------------------------------------

    /// @inheritdoc ICredentialRegistry
    function revoke(address issuer, uint256[] calldata words, uint256[] calldata masks) external {
        _revoke(msg.sender, issuer, words, masks);
    }

    /// @inheritdoc ICredentialRegistry
    function revokeWithSignature(
        address issuer,
        uint256[] calldata words,
        uint256[] calldata masks,
        address signer,
        uint256 deadline,
        bytes calldata signature
    ) external {
        _requireSignature(
            keccak256(abi.encode(REVOKE_TYPE, issuer, _hash(words), _hash(masks), signer, deadline)),
            signer,
            deadline,
            signature
        );
        _revoke(signer, issuer, words, masks);
    }

    function _revoke(address caller, address issuer, uint256[] calldata words, uint256[] calldata masks) private {
        _requireRole(caller, issuer, REVOKE);
        _requireWords(issuer, words.length, masks.length);
        uint64 nextIndex = _accounts[issuer].nextIndex;
        mapping(uint256 => uint256) storage revoked = _revoked[issuer];

        for (uint256 i = 0; i < words.length; ++i) {
            uint256 word = words[i];
            uint256 mask = masks[i];
            _requireAnchored(word, mask, nextIndex);
            revoked[word] |= mask;
        }
        emit StatusRevoked(issuer, words, masks);
    }

    /// @inheritdoc ICredentialRegistry
    function setSuspension(
        address issuer,
        uint64 nonce,
        uint256[] calldata words,
        uint256[] calldata setMasks,
        uint256[] calldata clearMasks
    ) external {
        _setSuspension(msg.sender, issuer, nonce, words, setMasks, clearMasks);
    }

    /// @inheritdoc ICredentialRegistry
    function setSuspensionWithSignature(
        address issuer,
        uint64 nonce,
        uint256[] calldata words,
        uint256[] calldata setMasks,
        uint256[] calldata clearMasks,
        address signer,
        uint256 deadline,
        bytes calldata signature
    ) external {
        _requireSignature(
            keccak256(
                abi.encode(
                    SET_SUSPENSION_TYPE,
                    issuer,
                    nonce,
                    _hash(words),
                    _hash(setMasks),
                    _hash(clearMasks),
                    signer,
                    deadline
                )
            ),
            signer,
            deadline,
            signature
        );
        _setSuspension(signer, issuer, nonce, words, setMasks, clearMasks);
    }

    function _setSuspension(
        address caller,
        address issuer,
        uint64 nonce,
        uint256[] calldata words,
        uint256[] calldata setMasks,
        uint256[] calldata clearMasks
    ) private {
        _requireRole(caller, issuer, SUSPEND);
        _requireWords(issuer, words.length, setMasks.length);
        _requireWords(issuer, words.length, clearMasks.length);
        _useNonce(issuer, nonce);
        uint64 nextIndex = _accounts[issuer].nextIndex;
        mapping(uint256 => uint256) storage suspended = _suspended[issuer];

        for (uint256 i = 0; i < words.length; ++i) {
            uint256 word = words[i];
            uint256 setMask = setMasks[i];
            uint256 clearMask = clearMasks[i];
            _requireAnchored(word, setMask | clearMask, nextIndex);
            if (setMask & clearMask != 0) revert OverlappingMasks(word, setMask & clearMask);
            suspended[word] = (suspended[word] | setMask) & ~clearMask;
        }
        emit SuspensionChanged(issuer, nonce, words, setMasks, clearMasks);
    }

    // --- rights -----------------------------------------------------------------------------------------------------

    /// @inheritdoc ICredentialRegistry
    function setKey(address issuer, address key, uint8 roles) external {
        _setKey(msg.sender, issuer, key, roles, _accounts[issuer].nonce);
    }

    /// @inheritdoc ICredentialRegistry
    function setKeyWithSignature(
        address issuer,
        address key,
        uint8 roles,
        uint64 nonce,
        address signer,
        uint256 deadline,
        bytes calldata signature
    ) external {
        _requireSignature(
            keccak256(abi.encode(SET_KEY_TYPE, issuer, key, roles, nonce, signer, deadline)),
            signer,
            deadline,
            signature
        );
        _setKey(signer, issuer, key, roles, nonce);
    }

    function _setKey(address caller, address issuer, address key, uint8 roles, uint64 nonce) private {
        _requireController(caller, issuer);
        if (key == address(0)) revert ZeroKey(issuer);
        if (roles > ALL_ROLES) revert UnknownRoles(roles);
        _useNonce(issuer, nonce);

        uint32 epoch = _accounts[issuer].epoch;
        _roles[issuer][epoch][key] = roles;
        emit KeySet(issuer, key, roles, epoch);
    }

    /// @inheritdoc ICredentialRegistry
    function proposeController(address issuer, address candidate) external {
        _proposeController(msg.sender, issuer, candidate, _accounts[issuer].nonce);
    }

    /// @inheritdoc ICredentialRegistry
    function proposeControllerWithSignature(
        address issuer,
        address candidate,
        uint64 nonce,
        address signer,
        uint256 deadline,
        bytes calldata signature
    ) external {
        _requireSignature(
            keccak256(abi.encode(PROPOSE_CONTROLLER_TYPE, issuer, candidate, nonce, signer, deadline)),
            signer,
            deadline,
            signature
        );
        _proposeController(signer, issuer, candidate, nonce);
    }

    function _proposeController(address caller, address issuer, address candidate, uint64 nonce) private {
        _requireController(caller, issuer);
        _useNonce(issuer, nonce);

        _accounts[issuer].candidate = candidate;
        emit ControllerProposed(issuer, candidate);
    }

    /// @inheritdoc ICredentialRegistry
    function acceptController(address issuer) external {
        _acceptController(msg.sender, issuer, _accounts[issuer].nonce);
    }

    /// @inheritdoc ICredentialRegistry
    function acceptControllerWithSignature(
        address issuer,
        uint64 nonce,
        address signer,
        uint256 deadline,
        bytes calldata signature
    ) external {
        _requireSignature(
            keccak256(abi.encode(ACCEPT_CONTROLLER_TYPE, issuer, nonce, signer, deadline)),
            signer,
            deadline,
            signature
        );
        _acceptController(signer, issuer, nonce);
    }

    function _acceptController(address caller, address issuer, uint64 nonce) private {
        Account storage account = _accounts[issuer];
        if (caller != account.candidate || caller == address(0)) revert NotCandidate(issuer, caller);
        _useNonce(issuer, nonce);

        address former = controllerOf(issuer);
        uint32 epoch = account.epoch + 1;
        account.controller = caller;
        account.epoch = epoch;
        account.candidate = address(0);
        emit ControllerChanged(issuer, former, caller, epoch);
    }

    // --- identity ---------------------------------------------------------------------------------------------------

    /// @inheritdoc ICredentialRegistry
    function setDid(address issuer, string calldata did, bytes32 documentHash) external {
        _setDid(msg.sender, issuer, did, documentHash, _accounts[issuer].nonce);
    }

    /// @inheritdoc ICredentialRegistry
    function setDidWithSignature(
        address issuer,
        string calldata did,
        bytes32 documentHash,
        uint64 nonce,
        address signer,
        uint256 deadline,
        bytes calldata signature
    ) external {
        _requireSignature(
            keccak256(
                abi.encode(SET_DID_TYPE, issuer, keccak256(bytes(did)), documentHash, nonce, signer, deadline)
            ),
            signer,
            deadline,
            signature
        );
        _setDid(signer, issuer, did, documentHash, nonce);
    }

    function _setDid(address caller, address issuer, string calldata did, bytes32 documentHash, uint64 nonce) private {
        _requireController(caller, issuer);
        _requireDid(bytes(did));
        _useNonce(issuer, nonce);

        bytes32 id = _claimId(did, documentHash);
        uint64 time = _claimedAt[issuer][id];
        if (time == 0) {
            time = uint64(block.timestamp);
            _claimedAt[issuer][id] = time;
        }
        emit DidClaimed(issuer, did, documentHash, time);
    }

    // --- views ------------------------------------------------------------------------------------------------------

    /// @inheritdoc ICredentialRegistry
    function nextIndexOf(address issuer) external view returns (uint64) {
        return _accounts[issuer].nextIndex;
    }

    /// @inheritdoc ICredentialRegistry
    function nonceOf(address issuer) external view returns (uint64) {
        return _accounts[issuer].nonce;
    }

    /// @inheritdoc ICredentialRegistry
    function epochOf(address issuer) external view returns (uint32) {
        return _accounts[issuer].epoch;
    }

    /// @inheritdoc ICredentialRegistry
    function controllerOf(address issuer) public view returns (address) {
        address controller = _accounts[issuer].controller;
        return controller == address(0) ? issuer : controller;
    }

    /// @inheritdoc ICredentialRegistry
    function candidateOf(address issuer) external view returns (address) {
        return _accounts[issuer].candidate;
    }

    /// @inheritdoc ICredentialRegistry
    function rolesOf(address issuer, address key) public view returns (uint8) {
        return key == controllerOf(issuer) ? ALL_ROLES : _roles[issuer][_accounts[issuer].epoch][key];
    }

    /// @inheritdoc ICredentialRegistry
    function batchOf(address issuer, bytes32 root, uint64 first)
        external
        view
        returns (uint32 size, uint64 anchoredAt, uint64 revokedAt, uint64 blockNumber)
    {
        Batch storage batch = _batches[issuer][_batchId(root, first)];
        return (batch.size, batch.anchoredAt, batch.revokedAt, batch.blockNumber);
    }

    /// @inheritdoc ICredentialRegistry
    function revokedWord(address issuer, uint256 word) external view returns (uint256) {
        return _revoked[issuer][word];
    }

    /// @inheritdoc ICredentialRegistry
    function suspendedWord(address issuer, uint256 word) external view returns (uint256) {
        return _suspended[issuer][word];
    }

    /// @inheritdoc ICredentialRegistry
    function statusWordsOf(address issuer, uint256[] calldata words)
        external
        view
        returns (uint256[] memory revoked, uint256[] memory suspended)
    {
        revoked = new uint256[](words.length);
        suspended = new uint256[](words.length);
        for (uint256 i = 0; i < words.length; ++i) {
            revoked[i] = _revoked[issuer][words[i]];
            suspended[i] = _suspended[issuer][words[i]];
        }
    }

    /// @inheritdoc ICredentialRegistry
    function claimedAt(address issuer, string calldata did, bytes32 documentHash) external view returns (uint64) {
        return _claimedAt[issuer][_claimId(did, documentHash)];
    }

    /// @inheritdoc ICredentialRegistry
    function check(
        address issuer,
        bytes32 root,
        uint64 first,
        bytes32 leafHash,
        uint256 leafIndex,
        bytes32[] calldata path
    ) external view returns (bool included, bool revoked, bool suspended) {
        Batch storage batch = _batches[issuer][_batchId(root, first)];
        if (!Rfc9162.isIncluded(leafHash, leafIndex, batch.size, path, root)) return (false, false, false);
        uint256 index = first + leafIndex;
        uint256 mask = 1 << (index & 0xff);
        included = true;
        revoked = batch.revokedAt != 0 || _revoked[issuer][index >> 8] & mask != 0;
        suspended = _suspended[issuer][index >> 8] & mask != 0;
    }

    /// @inheritdoc ICredentialRegistry
    function domainSeparator() public view returns (bytes32) {
        return keccak256(
            abi.encode(DOMAIN_TYPE, keccak256(bytes(NAME)), keccak256(bytes(VERSION)), block.chainid, address(this))
        );
    }

    /// @inheritdoc ICredentialRegistry
    function eip712Domain()
        external
        view
        returns (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        )
    {
        // 0x0f: name, version, chainId and verifyingContract are in use
        return (0x0f, NAME, VERSION, block.chainid, address(this), 0, new uint256[](0));
    }

    // --- checks -----------------------------------------------------------------------------------------------------

    function _requireRole(address caller, address issuer, uint8 role) private view {
        if (rolesOf(issuer, caller) & role == 0) revert NotEntitled(issuer, caller, role);
    }

    function _requireController(address caller, address issuer) private view {
        if (caller != controllerOf(issuer)) revert NotController(issuer, caller);
    }

    function _requireSignature(bytes32 structHash, address signer, uint256 deadline, bytes calldata signature)
        private
        view
    {
        if (deadline < block.timestamp) revert SignatureExpired(deadline, block.timestamp);
        uint256 latest = block.timestamp + MAXIMAL_DELAY;
        if (deadline > latest) revert DeadlineTooFar(deadline, latest);
        bytes32 digest = keccak256(bytes.concat(hex"1901", domainSeparator(), structHash));
        if (!Signatures.isValid(signer, digest, signature)) revert InvalidSignature(signer);
    }

    function _useNonce(address issuer, uint64 nonce) private {
        uint64 expected = _accounts[issuer].nonce;
        if (nonce != expected) revert InvalidNonce(issuer, expected, nonce);
        _accounts[issuer].nonce = expected + 1;
    }

    function _requireWords(address issuer, uint256 words, uint256 masks) private pure {
        if (words == 0) revert NoWords(issuer);
        if (words != masks) revert LengthMismatch(words, masks);
    }

    /// @dev Status bits exist for anchored credentials only.
    function _requireAnchored(uint256 word, uint256 mask, uint64 nextIndex) private pure {
        if (mask == 0) revert EmptyMask(word);
        uint256 full = nextIndex >> 8; // words below this one are anchored to their last bit
        if (word > full || (word == full && mask >> (nextIndex & 0xff) != 0)) revert NotAnchored(word, mask, nextIndex);
    }

    /// @dev A DID is ASCII (DID Core section 3.1). Anything else in an event could trip whoever follows the chain.
    function _requireDid(bytes calldata did) private pure {
        if (did.length == 0 || did.length > MAXIMAL_DID_LENGTH) revert InvalidDidLength(did.length);
        for (uint256 i = 0; i < did.length; ++i) {
            if (did[i] < 0x21 || did[i] > 0x7e) revert InvalidDidCharacter(i);
        }
    }

    // --- hashes -----------------------------------------------------------------------------------------------------

    function _batchId(bytes32 root, uint64 first) private pure returns (bytes32) {
        return keccak256(abi.encode(root, first));
    }

    function _claimId(string calldata did, bytes32 documentHash) private pure returns (bytes32) {
        return keccak256(abi.encode(did, documentHash));
    }

    /// @dev EIP-712 `encodeData` of an array: the hash of its elements, one after the other.
    function _hash(uint256[] calldata values) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(values));
    }
}
