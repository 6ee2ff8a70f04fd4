"""The tables. Hashes, addresses and 256-bit words are bytes; times are whole Unix seconds (UTC); amounts of wei are
text (they may exceed 64 bits).

What the registry wants to be true stands in the upper half (issuers to attempts); what the chain says stands in the
``chain_`` tables, which can be deleted at any time: the follower fills them again from the contract's events.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

__all__ = [
    "api_keys",
    "attempts",
    "batches",
    "chain_batches",
    "chain_blocks",
    "chain_claims",
    "chain_status",
    "credentials",
    "did_documents",
    "issuers",
    "metadata",
    "operations",
    "outbox",
    "properties",
    "status_requests",
    "templates",
]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# BIGINT PRIMARY KEY does not count up by itself on SQLite; INTEGER PRIMARY KEY does, and is 64 bits wide there.
_Id = BigInteger().with_variant(Integer, "sqlite")

# One row a fact about the whole database: the chain and contract it belongs to, the follower's position, notices.
properties = Table(
    "properties",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

issuers = Table(
    "issuers",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("did", Text, nullable=False, unique=True),
    Column("address", LargeBinary(20), nullable=False, unique=True),
    # "hosted": the operator's account holds a key of the issuer; "self": the issuer signs every call itself
    Column("mode", Text, nullable=False),
    Column("status_base", Text, nullable=False),
    Column("next_index", BigInteger, nullable=False, server_default="0"),
    # why nothing is accepted for this issuer at the moment; NULL when all is well
    Column("halted", Text),
    Column("created_at", BigInteger, nullable=False),
    # who signs this issuer's credentials: "hosted" (a key ring of this installation), "none" (itself, or nobody)
    Column("signs", Text, nullable=False, server_default="none"),
    # the DID document that the issuer handed over, canonical JSON; NULL where it is built here, or not known
    Column("document", LargeBinary),
)

# Every DID document that was built here, so that a bundle can carry the one that counted at its anchor.
did_documents = Table(
    "did_documents",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("issuer_id", ForeignKey("issuers.id"), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),  # SHA-256 of the content
    Column("content", LargeBinary, nullable=False),  # canonical JSON
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("issuer_id", "hash"),
)

# Every version of a template that credentials were issued with; a row is never changed and never deleted. It is
# published, and holds no learner's data: those come from the cells.
templates = Table(
    "templates",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("issuer_id", ForeignKey("issuers.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),  # SHA-256 of the content
    Column("content", LargeBinary, nullable=False),  # canonical JSON
    Column("first_used_at", BigInteger, nullable=False),
    UniqueConstraint("issuer_id", "name", "digest"),
)

# Within which time after validFrom an issuer declares to anchor, from when on; a row is never changed.
declared_delays = Table(
    "declared_delays",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("issuer_id", ForeignKey("issuers.id"), nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("seconds", BigInteger),  # NULL: nothing is declared from then on
    UniqueConstraint("issuer_id", "since"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("issuer_id", ForeignKey("issuers.id")),  # NULL: the operator
    Column("label", Text, nullable=False),
    # SHA-256 of the key; the key itself has 256 random bits, so no slow hash is needed
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("scopes", Text, nullable=False),  # space-separated
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)

batches = Table(
    "batches",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("issuer_id", ForeignKey("issuers.id"), nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("leaves", LargeBinary, nullable=False),  # size times 32 bytes, in order
    Column("state", Text, nullable=False),
    Column("sealed_at", BigInteger, nullable=False),
    # copies of the chain's record, written when the batch is seen on chain, cleared when it is gone again
    Column("anchored_at", BigInteger),
    Column("block_number", BigInteger),
    Column("block_hash", LargeBinary(32)),
    Column("transaction", LargeBinary(32)),
    UniqueConstraint("issuer_id", "first", "root"),
    # two batches that are not displaced never begin at the same index
    Index(
        "ix_batches_live",
        "issuer_id",
        "first",
        unique=True,
        sqlite_where=text("state <> 'DISPLACED'"),
        postgresql_where=text("state <> 'DISPLACED'"),
    ),
    Index("ix_batches_state", "state", "issuer_id", "first"),
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", Text, primary_key=True),  # the registry's own, 128 random bits; knowing it gives the bundle
    Column("issuer_id", ForeignKey("issuers.id"), nullable=False),
    Column("credential_index", BigInteger, nullable=False),
    Column("batch_id", ForeignKey("batches.id")),
    # LIVE, RESERVED (an index that waits for its credential), and with a tombstone for a leaf: WITHDRAWN, UNUSED (a
    # reservation that ran out), NEEDS_RESUBMIT (displaced, and secured by somebody else at its old index); ERASED
    Column("state", Text, nullable=False),
    # how it came: "signed" (here), "unsigned", "secured" (by the issuer, never altered), "commitment" (only a hash)
    Column("form", Text, nullable=False, server_default="unsigned"),
    Column(
        "reserved_until", BigInteger
    ),  # for reservations, also after they were used: the index is in what was secured
    Column("external_id", Text),  # the credential's own "id"
    Column("content", LargeBinary),  # canonical JSON, as secured; NULL when withdrawn or erased
    Column("salt", LargeBinary(32)),  # NULL when withdrawn or erased
    Column("leaf", LargeBinary(32), nullable=False),  # leaf hash
    Column("idempotency_key", Text),
    Column("request_digest", LargeBinary(32), nullable=False),
    Column("accepted_at", BigInteger, nullable=False),
    Column("promised_at", BigInteger, nullable=False),  # "anchored before"
    UniqueConstraint("issuer_id", "credential_index"),
    UniqueConstraint("issuer_id", "external_id"),
    UniqueConstraint("issuer_id", "idempotency_key"),
    Index("ix_credentials_batch", "batch_id", "credential_index"),
    Index(
        "ix_credentials_open",
        "issuer_id",
        "credential_index",
        sqlite_where=text("batch_id IS NULL"),
        postgresql_where=text("batch_id IS NULL"),
    ),
    Index(
        "ix_credentials_waiting",
        "issuer_id",
        "accepted_at",
        sqlite_where=text("batch_id IS NULL"),
        postgresql_where=text("batch_id IS NULL"),
    ),
)

# A contract call that the registry wants to have happened.
operations = Table(
    "operations",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("issuer_id", ForeignKey("issuers.id"), nullable=False),
    Column("batch_id", ForeignKey("batches.id")),  # for "anchor"
    Column("kind", Text, nullable=False),  # anchor, revoke, suspend, set_key, set_did
    Column("call", Text, nullable=False),  # JSON, see registry.service.operations
    Column("state", Text, nullable=False),  # PENDING, SENT, DONE, CANCELLED
    Column("note", Text),  # what it waits for, for people
    Column("created_at", BigInteger, nullable=False),
    Column("signer", LargeBinary(20)),  # an EIP-712 signature, where the issuer gives one
    Column("deadline", BigInteger),
    Column("signature", LargeBinary),
    Index("ix_operations_state", "state", "issuer_id", "id"),
    Index("ix_operations_batch", "batch_id"),
)

status_requests = Table(
    "status_requests",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("issuer_id", ForeignKey("issuers.id"), nullable=False),
    Column("credential_id", ForeignKey("credentials.id"), nullable=False),
    Column("action", Text, nullable=False),  # revoke, suspend, reinstate
    Column("reason", Text),
    Column("state", Text, nullable=False),  # WAITING, SENT, ON_CHAIN, FINAL, SUPERSEDED
    Column("operation_id", ForeignKey("operations.id")),
    Column("final_block", BigInteger),  # the block at which it was final
    Column("requested_at", BigInteger, nullable=False),
    Index("ix_status_requests_state", "state", "issuer_id", "id"),
    Index("ix_status_requests_credential", "credential_id", "id"),
    Index("ix_status_requests_operation", "operation_id"),
)

# One row for each nonce of the paying account that was ever used here; a row is never deleted.
outbox = Table(
    "outbox",
    metadata,
    Column("id", _Id, primary_key=True),
    # NULL: it only uses up its nonce; the operation that it was for, if any, has gone on without it
    Column("operation_id", ForeignKey("operations.id")),
    Column("chain_id", BigInteger, nullable=False),
    Column("sender", LargeBinary(20), nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("state", Text, nullable=False),  # OPEN, MINED, DONE, REVERTED, LOST (a foreign transaction took the nonce)
    Column("gas", BigInteger, nullable=False),
    Column("block_number", BigInteger),
    UniqueConstraint("chain_id", "sender", "nonce"),
    Index("ix_outbox_state", "state"),
    Index("ix_outbox_operation", "operation_id"),
)

# Every signed transaction, stored before it is sent for the first time; all attempts of a nonce are kept.
attempts = Table(
    "attempts",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("outbox_id", ForeignKey("outbox.id"), nullable=False),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("raw", LargeBinary, nullable=False),
    Column("max_fee", Text, nullable=False),  # wei per gas
    Column("priority_fee", Text, nullable=False),
    Column("cancels", Integer, nullable=False),  # 1: an empty self-transfer that only uses up the nonce
    Column("created_at", BigInteger, nullable=False),
    Index("ix_attempts_outbox", "outbox_id", "id"),
)

# --- what the chain says (written by the follower only) ---

chain_blocks = Table(
    "chain_blocks",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("timestamp", BigInteger, nullable=False),
)

chain_batches = Table(
    "chain_batches",
    metadata,
    Column("block_number", BigInteger, primary_key=True, autoincrement=False),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("block_hash", LargeBinary(32), nullable=False),
    Column("transaction", LargeBinary(32), nullable=False),
    Column("issuer", LargeBinary(20), nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("revoked_block", BigInteger),
    Index("ix_chain_batches_issuer", "issuer", "first"),
)

# Claims of a DID by an issuer's address; the contract writes each pair of DID and document once.
chain_claims = Table(
    "chain_claims",
    metadata,
    Column("block_number", BigInteger, primary_key=True, autoincrement=False),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("issuer", LargeBinary(20), nullable=False),
    Column("did", Text, nullable=False),
    Column("document_hash", LargeBinary(32), nullable=False),
    Column("claimed_at", BigInteger, nullable=False),
    Index("ix_chain_claims_issuer", "issuer"),
)

# One row for each word that an event touched; folding them in order gives the contract's word.
chain_status = Table(
    "chain_status",
    metadata,
    Column("block_number", BigInteger, primary_key=True, autoincrement=False),
    Column("log_index", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),  # within the event
    Column("issuer", LargeBinary(20), nullable=False),
    Column("purpose", Text, nullable=False),  # revocation, suspension
    Column("word", LargeBinary(32), nullable=False),
    Column("set_mask", LargeBinary(32), nullable=False),
    Column("clear_mask", LargeBinary(32), nullable=False),
    Index("ix_chain_status_word", "issuer", "word"),
)
