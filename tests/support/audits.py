"""Audits of the registry that ``prepared`` makes, and its publication to be bent."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from registry.service.auditing import Auditing, AuditReport, NamedChain
from registry.service.published import open_material
from registry.service.publishing import Publication, Publishing
from support.fake_chain import FakeChain
from support.house import Clock, House, open_house

Prepared = tuple[bytes, FakeChain, Clock]


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
