"""A registry that runs against anvil, as somebody from outside sees it: a command line, files, tables, a node.

Nothing here imports the program: leaves, trees and bundles are made anew from docs/spec, so that a fault of the program
cannot hide itself. Only web3, requests, sqlite3 and the standard library are used.
"""

import base64
import hashlib
import http.server
import itertools
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from web3 import Web3

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent / "registry"
ARTIFACT = json.loads((ROOT / "contracts/artifacts/CredentialRegistry.json").read_bytes())
SALT = hashlib.sha256(b"a salt that is made up").digest()


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def canonical(value: Any) -> bytes:
    """RFC 8785 for what is used here: ASCII keys, no numbers but small integers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def leaf_of(credential: Any, salt: bytes = SALT) -> bytes:
    return sha(b"\0" + sha(salt + sha(canonical(credential))))


def root_of(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return sha(b"\1" + root_of(leaves[:half]) + root_of(leaves[half:]))


def path_of(leaves: list[bytes], at: int) -> list[bytes]:
    if len(leaves) == 1:
        return []
    half = 1 << (len(leaves) - 1).bit_length() - 1
    if at < half:
        return [*path_of(leaves[:half], at), root_of(leaves[half:])]
    return [*path_of(leaves[half:], at - half), root_of(leaves[:half])]


def post(url: str, document: Any) -> Any:
    with requests.post(url, json=document, timeout=30) as answer:
        return answer.json()


class Node:
    """JSON-RPC with a node that lets itself be bent (anvil)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.web3 = Web3(Web3.HTTPProvider(url))

    def rpc(self, method: str, *params: Any) -> Any:
        document = post(self.url, {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        assert "error" not in document, document
        return document["result"]

    def catch_up(self) -> None:
        """Its time is at least that of this machine from now on."""
        behind = int(time.time()) - self.web3.eth.get_block("latest")["timestamp"]
        if behind > 0:
            self.rpc("evm_increaseTime", behind)
        self.rpc("evm_mine")

    def fund(self, address: str) -> None:
        self.rpc("anvil_setBalance", address, hex(10**20))

    def send(self, sender: str, **transaction: Any) -> Any:
        """From whatever account, without its key."""
        self.fund(sender)
        self.rpc("anvil_impersonateAccount", sender)
        hash_ = self.web3.eth.send_transaction({"from": Web3.to_checksum_address(sender), **transaction})
        receipt = self.web3.eth.wait_for_transaction_receipt(hash_, timeout=30, poll_latency=0.02)
        assert receipt["status"] == 1
        return receipt


@dataclass
class World:
    """``data`` and ``published`` are this fraud's own copies; what is done on chain is undone after it."""

    node: Node
    data: Path
    published: Path
    bundles: Path
    issuers: dict[str, str]
    contract: str
    promises: Path
    arguments: list[str] = field(default_factory=list)

    # the command line

    def registry(self, *arguments: str | Path, url: str | None = None, ok: bool = True) -> Any:
        done = run(self.data, url or self.node.url, *arguments)
        assert not ok or done.returncode == 0, done.stdout + done.stderr
        return done

    def audit(self, *arguments: str | Path, inside: bool = False, url: str | None = None) -> tuple[int, Any]:
        """Exit code and report. ``inside``: with the registry's own tables; otherwise by one who has none of it."""
        own = ["--data", self.data, "--database"] if inside else ["--data", self.data / "nowhere"]
        outside = [] if inside else ["--rpc", url or self.node.url, "--contract", self.contract]
        done = run(self.data, url or self.node.url, "audit", "--json", *own, *outside, *arguments)
        assert done.returncode in (0, 1, 3), done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout)

    # the chain

    def call(
        self, name: str, *values: Any, sender: str | None = None, contract: str | None = None, issuer: str | None = None
    ) -> Any:
        """A transaction of the contract's, by default about and from the issuer "uni"."""
        about = issuer or self.issuers["uni"]
        who = sender or about
        place = Web3.to_checksum_address(contract or self.contract)
        made = self.node.web3.eth.contract(address=place, abi=ARTIFACT["abi"])
        data = made.encode_abi(name, [Web3.to_checksum_address(about), *values])
        return self.node.send(who, to=place, data=data)

    def view(self, name: str, *values: Any) -> Any:
        made = self.node.web3.eth.contract(address=Web3.to_checksum_address(self.contract), abi=ARTIFACT["abi"])
        return getattr(made.functions, name)(Web3.to_checksum_address(self.issuers["uni"]), *values).call()

    def anchor(self, leaves: list[bytes], **more: Any) -> tuple[int, bytes, Any]:
        """First index, root and receipt of a batch that the registry knows nothing of."""
        first, root = self.view("nextIndexOf"), root_of(leaves)
        return first, root, self.call("anchor", root, first, len(leaves), **more)

    # what is published

    @property
    def listing(self) -> Any:
        return json.loads((self.published / "registry.json").read_bytes())

    def bend(self, change: Callable[[list[Any]], Any], place: Path | None = None) -> None:
        path = (place or self.published) / "registry.json"
        document = json.loads(path.read_bytes())
        change(document["batches"])
        path.write_bytes(canonical(document))

    def batch(self, number: int = 0, issuer: str = "uni") -> Any:
        return [item for item in self.listing["batches"] if item["issuer"] == self.issuers[issuer]][number]

    def leaves_file(self, batch: Any, place: Path | None = None) -> Path:
        return (place or self.published) / "leaves" / batch["issuer"][2:] / f"{batch['first']}-{batch['root']}.bin"

    def publish_batch(self, first: int, leaves: list[bytes]) -> Any:
        """Lists a batch of "uni" as the registry would."""
        batch = {
            "issuer": self.issuers["uni"], "first": first, "size": len(leaves), "root": root_of(leaves).hex(),
            "state": "anchored", "erased": 0,
        }  # fmt: skip
        path = self.leaves_file(batch)
        path.write_bytes(b"".join(leaves))
        self.bend(lambda batches: batches.append(batch))
        return batch

    # templates

    @property
    def issuers_listing(self) -> Any:
        return json.loads((self.published / "issuers.json").read_bytes())

    def bend_issuers(self, change: Callable[[Any], Any], place: Path | None = None) -> None:
        """``change`` gets the whole of issuers.json."""
        path = (place or self.published) / "issuers.json"
        document = json.loads(path.read_bytes())
        change(document)
        path.write_bytes(canonical(document))

    def templates(self, document: Any) -> list[Any]:
        """The entries of "school" in issuers.json."""
        [found] = [item["templates"] for item in document["issuers"] if item["issuer"] == self.issuers["school"]]
        listed: list[Any] = found
        return listed

    def template_file(self, digest: str) -> Path:
        return self.published / "templates" / self.issuers["school"][2:] / f"{digest}.json"

    def issue_with(self, template: Any, number: str) -> None:
        """One more credential of "school", from a template in a file of the same name."""
        file, course = self.data.with_name("more.csv"), self.data.with_name("course.json")
        file.write_text(f"no,name\n{number},Ada\n")
        course.write_text(json.dumps(template))
        self.registry("issue", file, "--template", course, "--issuer", "school")

    def did(self, issuer: str = "uni") -> str:
        listed = json.loads((self.published / "issuers.json").read_bytes())["issuers"]
        return str(next(item["did"] for item in listed if item["issuer"] == self.issuers[issuer]))

    # bundles

    def bundle(self, number: int = 0) -> tuple[Path, Any]:
        path = sorted(self.bundles.glob("*.json"))[number]
        return path, json.loads(path.read_bytes())

    def own_bundle(self, credential: Any, name: str, **anchor: Any) -> Any:
        """A credential of the fraudster's own, anchored in a batch of its own, with a bundle that is right."""
        credential = {"issuer": self.did(), **credential}
        first, root, receipt = self.anchor([leaf_of(credential)])
        self.publish_batch(first, [leaf_of(credential)])
        made = self.make_bundle(credential, first, root, receipt, **anchor)
        (self.bundles / f"{name}.json").write_text(json.dumps(made))
        return made

    def make_bundle(self, credential: Any, first: int, root: bytes, receipt: Any, **anchor: Any) -> Any:
        block = self.node.web3.eth.get_block(receipt["blockNumber"])
        moment = subprocess.run(
            ["date", "-u", "-d", f"@{block['timestamp']}", "+%Y-%m-%dT%H:%M:%SZ"],
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        return {
            "type": "AnchoredCredentialBundle",
            "version": 1,
            "credential": credential,
            "leaf": {
                "canonicalization": "JCS",
                "salt": base64.urlsafe_b64encode(SALT).rstrip(b"=").decode(),
            },
            "inclusion": {
                "algorithm": "RFC9162_SHA256", "leafIndex": 0, "treeSize": 1, "root": root.hex(), "path": [],
            },
            "anchors": [
                {
                    "chain": "eip155:31337",
                    "contract": self.contract,
                    "issuer": self.issuers["uni"],
                    "firstIndex": first,
                    "anchoredAt": moment,
                    "transaction": "0x" + receipt["transactionHash"].hex().removeprefix("0x"),
                    "blockNumber": receipt["blockNumber"],
                    "blockHash": "0x" + receipt["blockHash"].hex().removeprefix("0x"),
                    **anchor,
                }
            ],
        }  # fmt: skip

    # promises

    def promise(self, number: int = 0) -> tuple[Path, Any]:
        path = sorted(self.promises.glob("*.ndjson"))[number]
        return path, json.loads(path.read_bytes().splitlines()[0])

    def accept(self, name: str) -> tuple[Path, Any]:
        """A credential that the registry accepts and promises, and that nobody anchors."""
        file, path = self.data.with_name("accepted.json"), self.promises / f"{name}.ndjson"
        file.write_text(json.dumps(credential(name)))
        self.registry("issue", file, "--issuer", "uni", "--promises", path)
        return path, json.loads(path.read_bytes())

    def later(self, days: int) -> None:
        self.node.rpc("evm_increaseTime", days * 86_400)
        self.node.rpc("evm_mine")

    # the registry's tables

    def sql(self, statement: str, *values: Any) -> int:
        """Done behind the registry's back; the number of rows that were changed."""
        with closing(sqlite3.connect(self.data / "registry.sqlite")) as connection, connection:
            return connection.execute(statement, values).rowcount

    def ask(self, statement: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self.data / "registry.sqlite")) as connection:
            return connection.execute(statement, values).fetchall()


def environment_of(data: Path, url: str) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    environment |= {"REGISTRY_DATA_DIR": str(data), "REGISTRY_RPC_URLS": url, "REGISTRY_CHAIN_ID": "31337"}
    environment |= {"REGISTRY_KEYSTORE_PASSWORD": "a password for tests"}
    return environment | {"REGISTRY_BATCH_MAX_AGE_SECONDS": "0", "REGISTRY_AUDIT_SECONDS": "0"}


def run(data: Path, url: str, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """``more``: further variables of the environment."""
    environment = environment_of(data, url) | more
    return subprocess.run(
        [BIN, *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=240, check=False
    )


@contextmanager
def served(world: World, port: int) -> Iterator[str]:
    """The address of the registry's API, without its worker."""
    command = [BIN, "serve", "--no-worker", "--port", str(port), "--json"]
    environment = environment_of(world.data, world.node.url)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            lines = iter(process.stdout.readline, b"")
            text = b"".join(itertools.takewhile(lambda line: not line.startswith(b"}"), lines))
            yield str(json.loads(text + b"}")["url"])
        finally:
            process.terminate()
            process.wait(30)


def credential(number: str, **more: Any) -> dict[str, Any]:
    return {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "type": ["VerifiableCredential"],
        "id": f"urn:example:{number}",
        "validFrom": "2026-01-01T00:00:00Z",
        "credentialSubject": {"id": "did:example:learner", "name": "Zoë"},
        **more,
    }


# What "school" issues with.
TEMPLATE = credential("{{no}}", name="Statistics", credentialSubject={"id": "did:example:{{no}}", "name": "{{name}}"})
REVOKED = 3  # the index in uni's sequence


def found_registry(
    node: Node, place: Path, sizes: tuple[int, ...] = (40, 25), batch: int = 10_000, settings: str = ""
) -> World:
    """A clean registry: issuer "uni" with batches of these sizes and one revocation, "school" with one credential.

    ``settings``: more of them, as TOML.
    """
    data = place / "data"
    data.mkdir(parents=True)
    fixed = f"batch_max_size = {batch}\nopen_badges_only = false\nallow_unmapped = true\n"
    (data / "registry.toml").write_text(fixed + settings)

    def registry(*arguments: str | Path) -> Any:
        done = run(data, node.url, *arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    made = registry("init")
    operator = json.loads((data / "keystores/operator.json").read_bytes())["address"]
    node.fund("0x" + operator.removeprefix("0x"))
    made = registry("deploy", "--no-record")
    issuers = {name: registry("issuer", "create", name)["address"] for name in ("uni", "school")}
    promises = place / "promises"
    promises.mkdir()
    for number, size in enumerate(sizes):
        file = place / f"{number}.ndjson"
        file.write_text("\n".join(json.dumps(credential(f"{number}:{at}")) for at in range(size)))
        registry("issue", file, "--issuer", "uni", "--promises", promises / f"{number}.ndjson")
        registry("worker", "--once")
    file, course = place / "school.csv", place / "course.json"
    file.write_text("no,name\nschool,Zoë\n")
    course.write_text(json.dumps(TEMPLATE))
    registry("issue", file, "--template", course, "--issuer", "school", "--promises", promises / "school.ndjson")
    registry("worker", "--once")
    # Which credential stands where is random; which place is revoked must not be, or it meets a planted one by chance.
    founded = World(node, data, place / "published", place / "bundles", issuers, made["contract"], promises)
    [(revoked,)] = founded.ask(
        "SELECT external_id FROM credentials JOIN issuers ON issuers.id = credentials.issuer_id "
        "WHERE issuers.name = 'uni' AND credential_index = ?", REVOKED,
    )  # fmt: skip
    registry("revoke", revoked, "--issuer", "uni")
    for _ in range(3):
        node.rpc("anvil_mine", hex(2))
        registry("worker", "--once")
    registry("publish", founded.published)
    registry("bundle", "--all", founded.bundles)
    return founded


@contextmanager
def fraud_in(world: World, place: Path) -> Iterator[World]:
    """A copy of everything; the chain is put back at the end."""
    snapshot = world.node.rpc("evm_snapshot")
    try:
        for name in ("data", "published", "bundles", "promises"):
            shutil.copytree(getattr(world, name), place / name)
        yield World(
            world.node, place / "data", place / "published", place / "bundles", dict(world.issuers), world.contract,
            place / "promises",
        )  # fmt: skip
    finally:
        world.node.rpc("evm_revert", snapshot)


@contextmanager
def lying_node(node: Node, lie: Callable[[str, list[Any], Any], Any]) -> Iterator[str]:
    """The address of a node in front of another; ``lie(method, params, result)`` gives what it answers."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            document = answers = post(node.url, asked)
            if not isinstance(asked, list):
                asked, answers = [asked], [document]
            by_id = {item["id"]: item for item in asked}
            for item in answers:
                question = by_id[item["id"]]
                if "result" in item:
                    item["result"] = lie(question["method"], question["params"], item["result"])
            data = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def selector(name: str) -> str:
    return keccak_of(name, "function")[:10]


def topic(name: str) -> str:
    return keccak_of(name, "event")


def keccak_of(name: str, kind: str) -> str:
    [entry] = [item for item in ARTIFACT["abi"] if item.get("name") == name and item["type"] == kind]
    types = ",".join(item["type"] for item in entry["inputs"])
    return "0x" + Web3.keccak(text=f"{name}({types})").hex().removeprefix("0x")
