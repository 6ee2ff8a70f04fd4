"""Networks as data."""

from datetime import date
from pathlib import Path

import pytest

from anchors.base import Network, Refusal
from anchors.devchain import CHAIN_ID
from anchors.networks import default_network, end_warning, load_networks, network_of
from registry.core.errors import InputError
from registry.core.model import ChainClass

ENTRY = """
[[network]]
name = "campus"
chain_id = 4711
class = "production"
finality = "finalized"
explorer = "https://explorer.example/"
expected_end = 2031-12-31
"""


def test_the_shipped_ones() -> None:
    networks = load_networks()
    assert {network.name: (network.chain_id, network.chain_class) for network in networks.values()} == {
        "hoodi": (560048, ChainClass.TEST),
        "sepolia": (11155111, ChainClass.TEST),
        "mainnet": (1, ChainClass.PRODUCTION),
        "anvil": (31337, ChainClass.DEV),
        "devchain": (CHAIN_ID, ChainClass.DEV),
    }
    assert default_network().name == "hoodi"
    finality = {ChainClass.PRODUCTION: "finalized", ChainClass.TEST: 3, ChainClass.DEV: 1}
    assert all(network.finality == finality[network.chain_class] for network in networks.values())


def test_a_network_needs_no_code(tmp_path: Path) -> None:
    path = tmp_path / "networks.toml"
    path.write_text(ENTRY)
    networks = load_networks(path)
    assert networks[4711] == Network(
        "campus", 4711, ChainClass.PRODUCTION, "finalized", "https://explorer.example", "2031-12-31"
    )
    assert 560048 in networks
    assert 4711 not in load_networks()


def test_the_users_own_entry_wins(tmp_path: Path) -> None:
    path = tmp_path / "networks.toml"
    path.write_text('[[network]]\nname = "hoodi-later"\nchain_id = 560048\nclass = "test"\nfinality = 5\n')
    assert load_networks(path)[560048].finality == 5


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("chain_id = 4711", "chain_id = 0"), "chain_id"),
        (("chain_id = 4711", "chain_id = true"), "chain_id"),
        (("chain_id = 4711", 'chain_id = "4711"'), "chain_id"),
        (("chain_id = 4711", ""), "chain_id"),
        (('"production"', '"real"'), "class must be one of production, test, dev"),
        (('"finalized"', '"safe"'), "finality"),
        (('"finalized"', "0"), "finality"),
        (('"https://explorer.example/"', '"javascript:alert(1)"'), "explorer"),
        (("2031-12-31", '"soon"'), "expected_end"),
        (("2031-12-31", "7"), "expected_end"),
        (("2031-12-31", '"20311231"'), "expected_end"),
        (('name = "campus"', 'name = ""'), "name"),
        (("2031-12-31", "2031-12-31\nnotes = 7"), "notes"),
        (('name = "campus"', 'nome = "campus"'), "unknown field nome"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    path = tmp_path / "networks.toml"
    path.write_text(ENTRY.replace(*change))
    with pytest.raises(InputError, match=rf"networks\.toml, entry 1: {says}"):
        load_networks(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [("[[network", "not TOML"), ("network = 7", "entries"), ("network = [7]", "entries"), (ENTRY * 2, "twice")],
)
def test_files_of_no_use(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "networks.toml"
    path.write_text(content)
    with pytest.raises(InputError, match=says):
        load_networks(path)
    with pytest.raises(InputError, match="No such file"):
        load_networks(tmp_path / "missing.toml")


def test_an_unknown_chain_counts_for_nothing() -> None:
    network = network_of(99, load_networks())
    assert (network.name, network.chain_class, network.finality) == ("chain-99", ChainClass.DEV, 1)


@pytest.mark.parametrize(
    ("today", "says"),
    [
        (date(2028, 7, 3), None),  # 181 days before
        (date(2028, 7, 4), "in 180 days"),
        (date(2028, 12, 31), "in 0 days"),
        (date(2029, 1, 1), "was expected to end on 2028-12-31, 1 days ago"),
    ],
)
def test_an_end_in_sight_is_a_warning(today: date, says: str | None) -> None:
    warning = end_warning(default_network(), today)
    assert warning is None if says is None else warning is not None and says in warning


def test_without_a_known_end_there_is_no_warning() -> None:
    assert end_warning(load_networks()[1], date(2099, 1, 1)) is None


def test_every_network_and_every_refusal_is_explained() -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "chains.md").read_text()
    for network in load_networks().values():
        assert f"| {network.name} " in page
        assert str(network.chain_id) in page
    for refusal in Refusal:
        assert refusal.value in page
