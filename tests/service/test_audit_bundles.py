"""Bundles on all cores: the same findings in the same order, whoever examines them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.audits import Prepared, audit, codes, copied, prepare, publish
from support.house import House


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def house(prepared: Prepared, tmp_path: Path) -> Iterator[House]:
    opened = copied(prepared, tmp_path)
    yield opened
    opened.close()


def test_several_processes_find_what_one_finds(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, place = tmp_path / "published", tmp_path / "bundles"
    publish(house, folder)
    place.mkdir()
    for number, (name, data) in enumerate(house.bundles.all()):
        bent = data.replace("Zoë".encode(), b"Eve") if number % 3 == 0 else data
        (place / f"{name}.json").write_bytes(bent)
    (place / "none.json").write_bytes(b"{")
    paths = sorted(place.iterdir())
    monkeypatch.setattr("registry.service.auditbundles._CHUNK", 3)
    alone = audit(house.chain, folder, bundles=paths, processes=1)
    monkeypatch.setattr("registry.service.auditbundles._MANY", 1)
    together = audit(house.chain, folder, bundles=paths, processes=2)
    assert together == alone
    assert (alone.bundles, len(alone.findings)) == (13, 6)


def test_a_transaction_that_went_elsewhere_is_looked_up(house: House, tmp_path: Path) -> None:
    """The bundle names a transaction that was carried out, for a batch that the contract does not have. One that
    anchored another batch here did not go elsewhere.
    """
    _, data = next(iter(house.bundles.all()))
    at = data.index(b'"root":"') + 8
    path = tmp_path / "bundle.json"
    bent = data[:at] + b"55" * 32 + data[at + 64 :]
    path.write_bytes(bent)
    assert codes(audit(house.chain, bundles=[path])) == ["bundle_not_on_chain"]
    house.chain.foreign_transaction(b"\x77" * 20)
    [sent] = house.chain.tip.transactions
    at = bent.index(b'"transaction":"0x') + 17
    path.write_bytes(bent[:at] + sent.hex().encode() + bent[at + 64 :])
    assert set(codes(audit(house.chain, bundles=[path]))) == {"bundle_not_on_chain", "bundle_transaction_elsewhere"}


def test_a_transaction_elsewhere_for_a_batch_that_is_anchored(house: House, tmp_path: Path) -> None:
    """Also a bundle without anything else wrong; one of another batch here is another place, and no more."""
    (_, data), *_, (_, other) = house.bundles.all()
    at = data.index(b'"transaction":"0x') + 17
    path = tmp_path / "bundle.json"
    path.write_bytes(data[:at] + other[other.index(b'"transaction":"0x') + 17 :][:64] + data[at + 64 :])
    assert codes(audit(house.chain, bundles=[path])) == ["bundle_location_differs"]
    path.write_bytes(data[:at] + b"55" * 32 + data[at + 64 :])
    assert codes(audit(house.chain, bundles=[path])) == ["bundle_location_differs"]
    house.chain.foreign_transaction(b"\x77" * 20)
    [sent] = house.chain.tip.transactions
    path.write_bytes(data[:at] + sent.hex().encode() + data[at + 64 :])
    assert set(codes(audit(house.chain, bundles=[path]))) == {"bundle_location_differs", "bundle_transaction_elsewhere"}
