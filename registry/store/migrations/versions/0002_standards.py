"""Who signs, DID documents and their claims on chain, and the forms in which credentials come."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("issuers", sa.Column("signs", sa.Text(), nullable=False, server_default="none"))
    op.add_column("issuers", sa.Column("document", sa.LargeBinary(), nullable=True))
    op.add_column("credentials", sa.Column("form", sa.Text(), nullable=False, server_default="unsigned"))
    op.add_column("credentials", sa.Column("reserved_until", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_credentials_waiting",
        "credentials",
        ["issuer_id", "accepted_at"],
        unique=False,
        sqlite_where=sa.text("batch_id IS NULL"),
        postgresql_where=sa.text("batch_id IS NULL"),
    )
    op.create_table(
        "did_documents",
        sa.Column("id", _ID, nullable=False),
        sa.Column("issuer_id", _ID, nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuers.id"], name=op.f("fk_did_documents_issuer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_did_documents")),
        sa.UniqueConstraint("issuer_id", "hash", name=op.f("uq_did_documents_issuer_id_hash")),
    )
    op.create_table(
        "chain_claims",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("issuer", sa.LargeBinary(length=20), nullable=False),
        sa.Column("did", sa.Text(), nullable=False),
        sa.Column("document_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("claimed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_chain_claims")),
    )
    op.create_index("ix_chain_claims_issuer", "chain_claims", ["issuer"], unique=False)
    # The follower reads the chain again from the beginning: claims that were made before are in no table yet.
    for table in ("chain_status", "chain_batches", "chain_blocks"):
        op.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
