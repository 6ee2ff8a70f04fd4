"""Audits of the registry that ``prepared`` makes, and its publication to be bent."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from registry.core import leaf
from registry.core.audit_published import packed_root
from registry.core.bundle import build_bundle, serialize_bundle
from registry.core.canonical import canonicalize
from registry.core.merkle import MerkleTree
from registry.core.model import Anchor
from registry.service.auditing import Auditing, AuditReport, NamedChain
from registry.service.published import open_material
from registry.service.publishing import Publication, Publishing
from support.fake_chain import FakeChain
from support.house import Clock, House, open_house

Prepared = tuple[bytes, FakeChain, Clock]
SALT = b"\5" * 32


def write(path: Path, content: bytes) -> bool:
    if path.exists() and path.read_bytes() == content:
        return False
    path.write_bytes(content)
    return True


def publish(house: House, folder: Path) -> Publication:
    return Publishing(
        house.context, house.issuers, house.batching, house.identities, house.status_lists, write
    ).publish(folder)


def audit(chain: FakeChain, *places: Path | str, others: tuple[FakeChain, ...] = (), **more: Any) -> AuditReport:
    chains = [NamedChain(f"node {number}", node) for number, node in enumerate((chain, *others))]
    return Auditing(chains, [open_material(str(place)) for place in places], **more).run()


def codes(report: AuditReport) -> list[str]:
    return [finding.code for finding in report.findings]


def listing(folder: Path) -> Any:
    return json.loads((folder / "registry.json").read_bytes())


def bend(folder: Path, change: Callable[[Any], None]) -> None:
    document = listing(folder)
    change(document)
    (folder / "registry.json").write_text(json.dumps(document))


def anchored_past(house: House, folder: Path, credential: Any, name: str = "uni", **more: Any) -> bytes:
    """A bundle that is right, of a credential that was anchored past the registry, and is published."""
    issuer = house.issuers.look_up(name).address
    first = house.chain.read_issuer(issuer).next_index
    packed = leaf.leaf_hash(leaf.commit(SALT, leaf.digest(canonicalize(credential))))
    root = packed_root(packed)
    house.chain.foreign_anchor(issuer, root, 1)
    record = house.chain.read_record(issuer, root, first)
    assert record is not None
    [event] = [
        item for item in house.chain.read_events(record.block_number, record.block_number) if item.issuer == issuer
    ]
    place = Anchor(
        house.chain.chain_id, house.chain.contract, issuer, first, record.anchored_at, event.transaction,
        event.block_number, event.block_hash,
    )  # fmt: skip
    entry = {"issuer": "0x" + issuer.hex(), "first": first, "size": 1, "root": root.hex(), "state": "anchored"}
    bend(folder, lambda document: document["batches"].append(entry))
    (folder / "leaves" / issuer.hex() / f"{first}-{root.hex()}.bin").write_bytes(packed)
    return serialize_bundle(build_bundle(credential, SALT, MerkleTree([packed]), 0, [place], **more))


def leaf_files(folder: Path) -> list[Path]:
    return sorted((folder / "leaves").rglob("*.bin"))


def prepare(place: Path) -> Prepared:
    """Two issuers, three final batches, one revoked credential."""
    opened = open_house(place)
    for name in ("uni", "school"):
        issuer = opened.hosting.create(name)
        ids = opened.issue(issuer, 5, name)
        opened.batching.seal(issuer)
        opened.settle()
        if name == "uni":
            opened.issue(issuer, 3, "later")
            opened.batching.seal(issuer)
            opened.status.request(issuer, ids[2], "revoke")
    for _ in range(4):
        opened.settle()
    assert opened.batch_states() == ["FINAL"] * 3
    with opened.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    opened.close()
    return (place / "registry.db").read_bytes(), opened.chain, opened.clock


def copied(prepared: Prepared, folder: Path) -> House:
    """A copy of it, to be bent."""
    database, chain, clock = prepared
    (folder / "registry.db").write_bytes(database)
    clock = Clock(clock.now)
    own = copy.copy(chain)
    own.blocks, own.mempool, own.clock = copy.deepcopy(chain.blocks), {}, clock
    return House(f"sqlite:///{folder / 'registry.db'}", own, clock, seed=2)
