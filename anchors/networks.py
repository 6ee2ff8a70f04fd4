"""Networks as data: what a chain id stands for, how much it is worth, and for how long it can be expected to run.

Test networks end (Goerli and Holešky are gone), so nothing here is code: see networks.toml, and docs/chains.md for how
to add one.
"""

import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from anchors.base import Network
from registry.core.errors import InputError
from registry.core.model import ChainClass

__all__ = ["default_network", "end_warning", "load_networks", "network_of"]

WARN_DAYS = 180
_SHIPPED = Path(__file__).with_name("networks.toml")
_FIELDS = {"name", "chain_id", "class", "finality", "explorer", "expected_end", "default", "notes"}


def load_networks(extra: Path | None = None) -> dict[int, Network]:
    """All known networks by chain id: the shipped ones, then those of a TOML file of the user's, which win.

    Raises ``InputError`` naming the entry and field that cannot be used.
    """
    shipped, _ = _shipped()
    if extra is None:
        return dict(shipped)
    networks, _ = _read(extra)
    return {**shipped, **networks}


def default_network() -> Network:
    """The network that is meant where none is named."""
    networks, default = _shipped()
    return networks[default]


def network_of(chain_id: int, networks: Mapping[int, Network]) -> Network:
    """What a chain id stands for. One that nobody described counts for nothing: class dev."""
    known = networks.get(chain_id)
    return known or Network(f"chain-{chain_id}", chain_id, ChainClass.DEV, 1, None, None)


def end_warning(network: Network, today: date) -> str | None:
    """What users should be told about the network's end; None while it is more than half a year away, or unknown."""
    if network.expected_end is None:
        return None
    end = date.fromisoformat(network.expected_end)
    days = (end - today).days
    move = "move to another network: see docs/chains.md"
    if days < 0:
        return f"the network {network.name} was expected to end on {end.isoformat()}, {-days} days ago: {move}"
    if days <= WARN_DAYS:
        return f"the network {network.name} is expected to end on {end.isoformat()}, in {days} days: {move}"
    return None


@cache
def _shipped() -> tuple[dict[int, Network], int]:
    networks, default = _read(_SHIPPED)
    assert default is not None  # noqa: S101 - the shipped file names one; a test reads it
    return networks, default


def _read(path: Path) -> tuple[dict[int, Network], int | None]:
    try:
        with path.open("rb") as file:
            entries = tomllib.load(file).get("network", [])
    except OSError as error:
        raise InputError(f"cannot read the networks file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"the networks file {path} is not TOML: {error}") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"the networks file {path} needs entries [[network]]")
    networks: dict[int, Network] = {}
    default: int | None = None
    for place, entry in enumerate(entries, start=1):
        network = _network(entry, f"{path}, entry {place}")
        if network.chain_id in networks or network.name in {known.name for known in networks.values()}:
            raise InputError(f"{path}, entry {place}: {network.name} ({network.chain_id}) is there twice")
        networks[network.chain_id] = network
        if entry.get("default") is True:
            default = network.chain_id
    return networks, default


def _network(entry: Mapping[str, Any], where: str) -> Network:
    unknown = sorted(set(entry) - _FIELDS)
    if unknown:
        raise InputError(f"{where}: unknown field {unknown[0]}; known are {', '.join(sorted(_FIELDS))}")
    name, chain_id = entry.get("name"), entry.get("chain_id")
    finality, explorer, end = entry.get("finality"), entry.get("explorer"), entry.get("expected_end")
    notes = entry.get("notes")
    _expect(notes is None or isinstance(notes, str), where, "notes", "a text")
    _expect(isinstance(name, str) and name.isprintable() and 0 < len(name) <= 64, where, "name", "a short text")
    _expect(_is_count(chain_id), where, "chain_id", "a number above 0")
    _expect(entry.get("class") in set(ChainClass), where, "class", f"one of {_listed(ChainClass)}")
    _expect(finality == "finalized" or _is_count(finality), where, "finality", '"finalized" or a number above 0')
    _expect(
        explorer is None or (isinstance(explorer, str) and explorer.startswith("https://")), where, "explorer", "https"
    )
    if isinstance(end, date):
        end = end.isoformat()
    try:
        _expect(end is None or date.fromisoformat(end).isoformat() == end, where, "expected_end", "a date YYYY-MM-DD")
    except (ValueError, TypeError):
        _expect(False, where, "expected_end", "a date YYYY-MM-DD")
    return Network(
        name=str(name),
        chain_id=int(str(chain_id)),
        chain_class=ChainClass(entry["class"]),
        finality=finality if finality == "finalized" else int(str(finality)),
        explorer=explorer.rstrip("/") if explorer else None,
        expected_end=end,
        notes=notes,
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _expect(holds: bool, where: str, field: str, wanted: str) -> None:
    if not holds:
        raise InputError(f"{where}: {field} must be {wanted}")


def _listed(values: Iterable[str]) -> str:
    return ", ".join(values)
