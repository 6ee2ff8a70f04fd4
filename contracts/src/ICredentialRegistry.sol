// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A permissionless registry of credential batches
/// @notice Every issuer (an address) has one numbered sequence of credentials 0, 1, 2, … A batch is a contiguous range
/// of it, committed to by the root of a Merkle tree as in RFC 9162 section 2.1. Credentials, and whole batches, can be
/// revoked for good; credentials can be suspended and reinstated. Nobody owns the registry and nothing in it can be
/// upgraded. Everything that a verifier needs stands in state; events are for history.
/// @dev An issuer's controller is the issuer's address itself until it is handed over; after that the address has no
/// rights of its own. Every call that changes state has a signed twin `…WithSignature`, which anyone may send (and pay
/// for) on behalf of `signer`: EIP-712, domain name "CredentialRegistry", version "1", and a struct whose fields are
/// the twin's parameters in their order, without `signature`. The signature is tried as ECDSA first (65 bytes
/// r ‖ s ‖ v, low s, v 27 or 28), and then, where `signer` has code, by EIP-1271. `deadline` is in Unix seconds, not
/// passed, and at most one hour ahead of the block.
///
/// All calls that carry a nonce, and their direct forms, count up the issuer's one counter `nonceOf`; so a direct call
/// also ends what is signed but not yet sent. `anchor` and `revoke` need none: what they write is written once.
interface ICredentialRegistry {
    // --- events -----------------------------------------------------------------------------------------------------

    /// @notice Credentials `first` … `first + size - 1` of `issuer` were anchored under `root`.
    event BatchAnchored(address indexed issuer, bytes32 indexed root, uint64 first, uint32 size);

    /// @notice A whole batch was voided, from its beginning.
    event BatchRevoked(address indexed issuer, bytes32 indexed root, uint64 first);

    /// @notice The bits of `masks[i]` were set in revocation word `words[i]`; some may have been set before.
    event StatusRevoked(address indexed issuer, uint256[] words, uint256[] masks);

    /// @notice In suspension word `words[i]` the bits of `setMasks[i]` were set and those of `clearMasks[i]` cleared,
    /// one entry after the other. `nonce` orders the changes of an issuer.
    event SuspensionChanged(
        address indexed issuer, uint64 nonce, uint256[] words, uint256[] setMasks, uint256[] clearMasks
    );

    /// @notice `key` now has exactly `roles` in `epoch` (0: none).
    event KeySet(address indexed issuer, address indexed key, uint8 roles, uint32 epoch);

    /// @notice `candidate` may now accept the control of `issuer` (zero: nobody may).
    event ControllerProposed(address indexed issuer, address indexed candidate);

    /// @notice Control went from `former` to `controller`; all keys of earlier epochs have ended.
    event ControllerChanged(address indexed issuer, address indexed former, address indexed controller, uint32 epoch);

    /// @notice `issuer` says that it is `did`, whose document has the hash `documentHash`; it first said so at
    /// `claimedAt`.
    event DidClaimed(address indexed issuer, string did, bytes32 documentHash, uint64 claimedAt);

    // --- errors -----------------------------------------------------------------------------------------------------

    /// @notice `caller` (or signer) is neither controller nor a key with `role`.
    error NotEntitled(address issuer, address caller, uint8 role);

    /// @notice `caller` (or signer) is not the controller.
    error NotController(address issuer, address caller);

    /// @notice `caller` (or signer) is not the candidate that the controller proposed.
    error NotCandidate(address issuer, address caller);

    /// @notice A batch cannot have the root zero.
    error ZeroRoot(address issuer);

    /// @notice A batch has 1 … 2^24 credentials.
    error InvalidSize(uint32 size);

    /// @notice The next batch of `issuer` must begin at `expected`.
    error UnexpectedFirst(address issuer, uint64 expected, uint64 given);

    /// @notice There is a batch of this root at this place, with another size.
    error BatchExists(address issuer, bytes32 root, uint64 first, uint32 recordedSize);

    /// @notice Credential indexes end below 2^53.
    error SequenceExhausted(address issuer, uint64 first, uint32 size);

    /// @notice `issuer` has no such batch.
    error UnknownBatch(address issuer, bytes32 root, uint64 first);

    /// @notice No words were given.
    error NoWords(address issuer);

    /// @notice Arrays that belong together have different lengths.
    error LengthMismatch(uint256 words, uint256 masks);

    /// @notice An entry names a word and no bit of it.
    error EmptyMask(uint256 word);

    /// @notice An entry names bits at or above `nextIndex`, which are not anchored yet.
    error NotAnchored(uint256 word, uint256 mask, uint64 nextIndex);

    /// @notice An entry both sets and clears the bits of `overlap`.
    error OverlappingMasks(uint256 word, uint256 overlap);

    /// @notice The issuer's counter stands at `expected`.
    error InvalidNonce(address issuer, uint64 expected, uint64 given);

    /// @notice `roles` has bits besides ANCHOR (1), REVOKE (2) and SUSPEND (4).
    error UnknownRoles(uint8 roles);

    /// @notice The zero address cannot be a key.
    error ZeroKey(address issuer);

    /// @notice A DID has 1 … 2048 bytes.
    error InvalidDidLength(uint256 length);

    /// @notice A DID is printable ASCII without blanks; the byte at `position` is not.
    error InvalidDidCharacter(uint256 position);

    /// @notice The deadline of a signature has passed.
    error SignatureExpired(uint256 deadline, uint256 timestamp);

    /// @notice The deadline of a signature is later than `latest`, one hour from now.
    error DeadlineTooFar(uint256 deadline, uint256 latest);

    /// @notice The signature is not one of `signer` over this call on this chain and contract.
    error InvalidSignature(address signer);

    // --- batches ----------------------------------------------------------------------------------------------------

    /// @notice Anchors the next batch of an issuer. Needs the role ANCHOR. A repeat of a batch on record (the same root,
    /// first and size) changes nothing, emits nothing and succeeds, also when that batch was revoked since.
    /// @param issuer whose sequence
    /// @param root root of the Merkle tree, not zero
    /// @param first index of the batch's first credential; must equal `nextIndexOf(issuer)`
    /// @param size number of credentials, 1 … 2^24
    function anchor(address issuer, bytes32 root, uint64 first, uint32 size) external;

    /// @notice `anchor`, signed:
    /// `Anchor(address issuer,bytes32 root,uint64 first,uint32 size,address signer,uint256 deadline)`
    function anchorWithSignature(
        address issuer,
        bytes32 root,
        uint64 first,
        uint32 size,
        address signer,
        uint256 deadline,
        bytes calldata signature
    ) external;

    /// @notice Voids a whole batch from its beginning, for good. Controller only. Voiding it again changes nothing,
    /// emits nothing and succeeds; the first `revokedAt` stays.
    /// @param issuer whose batch
    /// @param root the batch's root
    /// @param first the batch's first index
    function revokeBatch(address issuer, bytes32 root, uint64 first) external;

    /// @notice `revokeBatch`, signed:
    /// `RevokeBatch(address issuer,bytes32 root,uint64 first,uint64 nonce,address signer,uint256 deadline)`
    /// @dev Succeeds for a batch that is already void, whatever the nonce: a relayed duplicate is no failure.
    function revokeBatchWithSignature(
        address issuer,
        bytes32 root,
        uint64 first,
        uint64 nonce,
        address signer,
        uint256 deadline,
        bytes calldata signature
    ) external;

    // --- status of single credentials -------------------------------------------------------------------------------

    /// @notice Revokes credentials, for good. Needs the role REVOKE. The status bit of credential `i` is bit `i & 255`
    /// (least significant first) of word `i >> 8`. Bits that are set already may be named again.
    /// @param issuer whose credentials
    /// @param words numbers of the words, at least one; a word may occur more than once
    /// @param masks for each word the bits to set, at least one, all below `nextIndexOf(issuer)`
    function revoke(address issuer, uint256[] calldata words, uint256[] calldata masks) external;

    /// @notice `revoke`, signed: `Revoke(address issuer,uint256[] words,uint256[] masks,address signer,uint256 deadline)`
    function revokeWithSignature(
        address issuer,
        uint256[] calldata words,
        uint256[] calldata masks,
        address signer,
        uint256 deadline,
        bytes calldata signature
    ) external;

    /// @notice Suspends and reinstates credentials. Needs the role SUSPEND. Entries apply one after the other.
    /// @param issuer whose credentials
    /// @param nonce must equal `nonceOf(issuer)`, so that the order of two changes cannot be swapped
    /// @param words numbers of the words, at least one
    /// @param setMasks for each word the bits to set (suspend)
    /// @param clearMasks for each word the bits to clear (reinstate), none of them in the set mask
    function setSuspension(
        address issuer,
        uint64 nonce,
        uint256[] calldata words,
        uint256[] calldata setMasks,
        uint256[] calldata clearMasks
    ) external;

    /// @notice `setSuspension`, signed: `SetSuspension(address issuer,uint64 nonce,uint256[] words,uint256[] setMasks,`
    /// `uint256[] clearMasks,address signer,uint256 deadline)`
    function setSuspensionWithSignature(
        address issuer,
        uint64 nonce,
        uint256[] calldata words,
        uint256[] calldata setMasks,
        uint256[] calldata clearMasks,
        address signer,
        uint256 deadline,
        bytes calldata signature
    ) external;

    // --- rights -----------------------------------------------------------------------------------------------------

    /// @notice Gives a key exactly these roles, until control changes hands. Controller only.
    /// @param issuer for whom the key may act
    /// @param key an account or contract wallet, not zero
    /// @param roles sum of ANCHOR = 1, REVOKE = 2, SUSPEND = 4; 0 removes the key
    function setKey(address issuer, address key, uint8 roles) external;

    /// @notice `setKey`, signed:
    /// `SetKey(address issuer,address key,uint8 roles,uint64 nonce,address signer,uint256 deadline)`
    function setKeyWithSignature(
        address issuer,
        address key,
        uint8 roles,
        uint64 nonce,
        address signer,
        uint256 deadline,
        bytes calldata signature
    ) external;

    /// @notice Offers the control of an issuer to `candidate`, in place of any earlier offer. Controller only.
    /// @param issuer whose control
    /// @param candidate who may accept; zero withdraws the offer; the controller itself may be named (accepting then
    /// ends all keys at once)
    function proposeController(address issuer, address candidate) external;

    /// @notice `proposeController`, signed:
    /// `ProposeController(address issuer,address candidate,uint64 nonce,address signer,uint256 deadline)`
    function proposeControllerWithSignature(
        address issuer,
        address candidate,
        uint64 nonce,
        address signer,
        uint256 deadline,
        bytes calldata signature
    ) external;

    /// @notice Takes over the control of an issuer. Candidate only. The former controller and all keys lose their rights.
    /// @param issuer whose control
    function acceptController(address issuer) external;

    /// @notice `acceptController`, signed by the candidate:
    /// `AcceptController(address issuer,uint64 nonce,address signer,uint256 deadline)`
    function acceptControllerWithSignature(
        address issuer,
        uint64 nonce,
        address signer,
        uint256 deadline,
        bytes calldata signature
    ) external;

    // --- identity ---------------------------------------------------------------------------------------------------

    /// @notice Says which DID the issuer is, and which DID document speaks for it. Controller only. The time of a
    /// claim's first statement stays; stating it again emits the event again.
    /// @param issuer who it is about
    /// @param did the DID, 1 … 2048 bytes of printable ASCII
    /// @param documentHash hash of the DID document; zero claims the DID without one
    function setDid(address issuer, string calldata did, bytes32 documentHash) external;

    /// @notice `setDid`, signed:
    /// `SetDid(address issuer,string did,bytes32 documentHash,uint64 nonce,address signer,uint256 deadline)`
    function setDidWithSignature(
        address issuer,
        string calldata did,
        bytes32 documentHash,
        uint64 nonce,
        address signer,
        uint256 deadline,
        bytes calldata signature
    ) external;

    // --- views ------------------------------------------------------------------------------------------------------

    /// @notice The number of credentials anchored so far, and the index of the next one.
    function nextIndexOf(address issuer) external view returns (uint64);

    /// @notice The issuer's counter.
    function nonceOf(address issuer) external view returns (uint64);

    /// @notice How often control changed hands.
    function epochOf(address issuer) external view returns (uint32);

    /// @notice Who controls the issuer: the address itself until handed over.
    function controllerOf(address issuer) external view returns (address);

    /// @notice Who may accept the control of the issuer; zero: nobody.
    function candidateOf(address issuer) external view returns (address);

    /// @notice The roles of a key in the current epoch; the controller has all (7).
    function rolesOf(address issuer, address key) external view returns (uint8);

    /// @notice The record of a batch, all zero if there is none.
    /// @return size number of credentials
    /// @return anchoredAt time of the anchoring block, Unix seconds
    /// @return revokedAt time of the block that voided the batch, 0 if none did
    /// @return blockNumber number of the anchoring block
    function batchOf(address issuer, bytes32 root, uint64 first)
        external
        view
        returns (uint32 size, uint64 anchoredAt, uint64 revokedAt, uint64 blockNumber);

    /// @notice 256 revocation bits: bit `j` belongs to credential `256 * word + j`.
    function revokedWord(address issuer, uint256 word) external view returns (uint256);

    /// @notice 256 suspension bits: bit `j` belongs to credential `256 * word + j`.
    function suspendedWord(address issuer, uint256 word) external view returns (uint256);

    /// @notice Many words of both kinds, in the order asked for. Revoked batches do not show here: see `batchOf`.
    function statusWordsOf(address issuer, uint256[] calldata words)
        external
        view
        returns (uint256[] memory revoked, uint256[] memory suspended);

    /// @notice When the issuer first made this claim, Unix seconds; 0 if never.
    function claimedAt(address issuer, string calldata did, bytes32 documentHash) external view returns (uint64);

    /// @notice For other contracts: is this leaf in the batch, and what is the credential's status? The tree's size is
    /// taken from the record, so a proof made for another size fails. All false if the batch or the leaf is not there.
    /// @param issuer whose batch
    /// @param root the batch's root
    /// @param first the batch's first index
    /// @param leafHash hash of the leaf, SHA-256(0x00 ‖ commitment); compute it, do not take it from the prover
    /// @param leafIndex position in the batch; the credential's index is `first + leafIndex`
    /// @param path inclusion proof, RFC 9162 section 2.1.3, of exactly the right length
    /// @return included the leaf is in the tree
    /// @return revoked included, and the credential or its batch is revoked
    /// @return suspended included, and the credential is suspended
    function check(
        address issuer,
        bytes32 root,
        uint64 first,
        bytes32 leafHash,
        uint256 leafIndex,
        bytes32[] calldata path
    ) external view returns (bool included, bool revoked, bool suspended);

    /// @notice The EIP-712 domain separator on this chain.
    function domainSeparator() external view returns (bytes32);

    /// @notice The EIP-712 domain, as in EIP-5267.
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
        );
}
