"""Within which time after validFrom issuers declare to anchor."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "declared_delays",
        sa.Column("id", _ID, nullable=False),
        sa.Column("issuer_id", _ID, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["issuer_id"], ["issuers.id"], name=op.f("fk_declared_delays_issuer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_declared_delays")),
        sa.UniqueConstraint("issuer_id", "since", name=op.f("uq_declared_delays_issuer_id_since")),
    )
