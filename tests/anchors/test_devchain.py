"""The embedded chain itself: what survives, who may open it, and that it is as strict as a node."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from anchors.base import Call, ChainError, ChainUnreachable, Fees
from anchors.devchain import CHAIN_ID, DevChain
from anchors.devchain.server import RpcServer
from registry.core.errors import InputError

FEES = Fees(10**10, 10**9)


def ask(chain: DevChain, method: str, *params: Any) -> Any:
    answer = raw(chain, {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
    return answer["result"] if "error" not in answer else answer["error"]


def raw(chain: DevChain, request: Any) -> Any:
    return json.loads(chain.post(json.dumps(request).encode(), 1))


def transfer(chain: DevChain, nonce: int, *, fees: Fees = FEES, gas: int = 21_000, chain_id: int | None = None) -> str:
    signed = chain.account.sign_transaction(
        chain_id=chain_id or chain.chain_id, nonce=nonce, call=Call(b"\1" * 20, b""), gas=gas, fees=fees
    )
    return "0x" + signed.raw.hex()


# --- what stays -------------------------------------------------------------------------------------------------------


def test_a_restart_finds_the_same_chain(tmp_path: Path) -> None:
    with DevChain(tmp_path) as chain:
        address = chain.account.address
        for nonce in range(3):
            ask(chain, "eth_sendRawTransaction", transfer(chain, nonce))
        blocks = [ask(chain, "eth_getBlockByNumber", hex(number), True) for number in range(4)]
    with DevChain(tmp_path) as chain:
        assert chain.account.address == address
        assert [ask(chain, "eth_getBlockByNumber", hex(number), True) for number in range(4)] == blocks
        assert ask(chain, "eth_blockNumber") == "0x3"
        assert ask(chain, "eth_getTransactionCount", "0x" + address.hex()) == "0x3"
        assert "already" not in str(ask(chain, "eth_sendRawTransaction", transfer(chain, 3)))


def test_two_chains_have_two_keys(tmp_path: Path) -> None:
    with DevChain(tmp_path / "a") as one, DevChain(tmp_path / "b") as other:
        assert one.account.address != other.account.address
        assert one.chain_id == CHAIN_ID


def test_the_key_is_for_the_owner_only(tmp_path: Path) -> None:
    with DevChain(tmp_path):
        modes = {
            name: (tmp_path / name).stat().st_mode & 0o777 for name in ("dev-account.json", "dev-account.password")
        }
    assert modes == {"dev-account.json": 0o600, "dev-account.password": 0o600}


def test_killed_between_password_and_keystore_it_starts_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "dev-account.password").touch(mode=0o600)
    with DevChain(tmp_path) as chain:
        assert ask(chain, "eth_blockNumber") == "0x0"


_WRITER = """
import json, sys
from pathlib import Path
from anchors.base import Call, Fees
from anchors.devchain import DevChain
chain = DevChain(Path(sys.argv[1])).open()
nonce = 0
while True:
    signed = chain.account.sign_transaction(
        chain_id=chain.chain_id, nonce=nonce, call=Call(bytes(20), b""), gas=21000, fees=Fees(10**10, 10**9)
    )
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": ["0x" + signed.raw.hex()]}
    assert "result" in json.loads(chain.post(json.dumps(body).encode(), 1))
    nonce += 1
    print(nonce, flush=True)
"""


@pytest.mark.parametrize("blocks", [1, 7, 20])
def test_killed_while_writing_it_reopens_at_the_last_block(tmp_path: Path, blocks: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            if int(line) >= blocks:
                os.kill(process.pid, signal.SIGKILL)
                break
        announced = [blocks, *map(int, process.stdout)][-1]
    process.wait()
    with DevChain(tmp_path) as chain:
        head = int(ask(chain, "eth_blockNumber"), 16)
        # What was answered is there; one more may have been written without being answered.
        assert announced <= head <= announced + 1
        assert int(ask(chain, "eth_getTransactionCount", "0x" + chain.account.address.hex()), 16) == head
        ask(chain, "eth_sendRawTransaction", transfer(chain, head))
        assert int(ask(chain, "eth_blockNumber"), 16) == head + 1
        parents = [ask(chain, "eth_getBlockByNumber", hex(number), False) for number in range(head + 2)]
        assert [block["parentHash"] for block in parents[1:]] == [block["hash"] for block in parents[:-1]]


def test_a_block_that_could_not_be_written_leaves_nothing(devchain: DevChain, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object) -> None:
        raise OSError("disk full")

    before = ask(devchain, "eth_getBlockByNumber", "latest", False)
    with monkeypatch.context() as patch:
        patch.setattr(devchain._storage, "_commit", full_disk)
        assert ask(devchain, "eth_sendRawTransaction", transfer(devchain, 0))["code"] == -32603
    assert ask(devchain, "eth_getBlockByNumber", "latest", False) == before
    ask(devchain, "eth_sendRawTransaction", transfer(devchain, 0))
    assert ask(devchain, "eth_blockNumber") == "0x1"


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    import sqlite3

    with closing(sqlite3.connect(tmp_path / "devchain.sqlite")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ChainError, match="format 99"):
        DevChain(tmp_path).open()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "devchain.sqlite").write_bytes(b"not a database, but long enough to be taken for one" * 100)
    with pytest.raises(ChainError, match="cannot be used"):
        DevChain(tmp_path).open()


def test_a_folder_of_another_chain_id_is_refused(tmp_path: Path) -> None:
    with DevChain(tmp_path, chain_id=5):
        pass
    with pytest.raises(ChainError, match="chain 5"):
        DevChain(tmp_path, chain_id=6).open()


# --- who may open it --------------------------------------------------------------------------------------------------


def test_a_second_opener_is_told_which_file_is_locked(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from anchors.devchain import DevChain; "
        "DevChain(Path(sys.argv[1])).open()"
    )
    with DevChain(tmp_path):
        other = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert other.returncode == 1
    assert "in use by another process" in other.stderr
    assert str(tmp_path / "devchain.lock") in other.stderr


def test_a_stopped_chain_is_out_of_reach_and_stays_closed(tmp_path: Path) -> None:
    chain = DevChain(tmp_path).open()
    chain.stop()
    with pytest.raises(ChainUnreachable, match="not open"):
        chain.post(b"{}", 1)
    with DevChain(tmp_path):
        pass


def test_after_stop_another_may_open_it(tmp_path: Path) -> None:
    first = DevChain(tmp_path).open()
    first.stop()
    first.stop()
    with DevChain(tmp_path):
        pass


def test_it_listens_on_loopback_only(devchain: DevChain) -> None:
    assert urlsplit(devchain.start()).hostname == "127.0.0.1"
    for host in ("0.0.0.0", "192.0.2.1"):  # noqa: S104 - refused
        with pytest.raises(InputError, match="loopback only"):
            RpcServer(devchain._methods, host, 0)  # type: ignore[arg-type]


def test_it_says_loudly_that_it_is_no_real_chain(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), DevChain(tmp_path) as chain:
        chain.start()
        assert "no proof" in ask(chain, "web3_clientVersion")
    assert "NOT a real chain" in caplog.text


# --- the wire ---------------------------------------------------------------------------------------------------------


def _post(url: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    parts = urlsplit(url)
    with closing(HTTPConnection(parts.hostname or "", parts.port, timeout=10)) as connection:
        connection.request("POST", "/", body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_a_name_that_points_here_by_dns_is_refused(devchain: DevChain) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
    assert _post(devchain.start(), body)[0] == 200
    assert _post(devchain.start(), body, {"Host": "evil.example"})[0] == 403


def test_a_body_without_end_is_refused(devchain: DevChain) -> None:
    parts = urlsplit(devchain.start())
    with closing(socket.create_connection((parts.hostname or "", parts.port or 0), 10)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n")
        assert b"413" in connection.recv(100)


def test_stopping_does_not_wait_for_idle_connections(devchain: DevChain) -> None:
    parts = urlsplit(devchain.start())
    with closing(socket.create_connection((parts.hostname or "", parts.port or 0), 10)):
        began = time.monotonic()
        devchain.stop()
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b"1", -32600),
        (b"{}", -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_sign"}', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_call","params":{}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[1,2,3,4]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x12","latest"]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["0x0x",false]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":[7,false]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["0x0"]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_getLogs","params":[{"topics":7}]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_feeHistory","params":["zzz","latest"]}', -32602),
    ],
)
def test_malformed_requests_get_an_error(devchain: DevChain, body: bytes, code: int) -> None:
    assert json.loads(devchain.post(body, 1))["error"]["code"] == code


def test_a_batch_is_answered_in_order(devchain: DevChain) -> None:
    answers = raw(devchain, [{"jsonrpc": "2.0", "id": n, "method": m} for n, m in enumerate(["eth_chainId", "nope"])])
    assert [answer["id"] for answer in answers] == [0, 1]
    assert answers[1]["error"]["code"] == -32601


def test_many_callers_at_once(devchain: DevChain) -> None:
    url = devchain.start()
    body = b'{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber"}'
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(_post(url, body)[0])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for nonce in range(3):
        ask(devchain, "eth_sendRawTransaction", transfer(devchain, nonce))
    for thread in threads:
        thread.join()
    assert seen == [200] * 8


# --- as strict as a node ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"nonce": 1}, "nonce too high"),
        ({"nonce": 0, "gas": 20_999}, "intrinsic gas too low"),
        ({"nonce": 0, "gas": 30_000_001}, "exceeds block gas limit"),
        ({"nonce": 0, "fees": Fees(1, 0)}, "max fee per gas less than block base fee"),
        ({"nonce": 0, "fees": Fees(10**10, 10**10 + 1)}, "max priority fee per gas higher"),
        ({"nonce": 0, "fees": Fees(10**20, 1)}, "insufficient funds"),
        ({"nonce": 0, "chain_id": 1}, "invalid chain id"),
    ],
)
def test_transactions_are_checked(devchain: DevChain, fields: dict[str, Any], message: str) -> None:
    assert message in ask(devchain, "eth_sendRawTransaction", transfer(devchain, **fields))["message"]
    assert ask(devchain, "eth_blockNumber") == "0x0"


@pytest.mark.parametrize("byte", [5, 60, -3, -40])
def test_a_changed_byte_is_noticed(devchain: DevChain, byte: int) -> None:
    changed = bytearray.fromhex(transfer(devchain, 0)[2:])
    changed[byte] ^= 1
    answer = ask(devchain, "eth_sendRawTransaction", "0x" + changed.hex())
    # Either it cannot be read, or its signature is another account's, which has no money.
    assert answer["code"] == -32000
    assert ask(devchain, "eth_blockNumber") == "0x0"


def test_block_times_follow_the_clock_and_only_grow(tmp_path: Path) -> None:
    now = [1_800_000_000.9]
    with DevChain(tmp_path, clock=lambda: now[0]) as chain:
        times = []
        for nonce, clock in enumerate([1_800_000_000.9, 1_800_000_000.9, 1_800_000_100.0, 1_700_000_000.0]):
            now[0] = clock
            ask(chain, "eth_sendRawTransaction", transfer(chain, nonce))
            times.append(int(ask(chain, "eth_getBlockByNumber", "latest", False)["timestamp"], 16))
    assert times == [1_800_000_001, 1_800_000_002, 1_800_000_100, 1_800_000_101]


def test_the_base_fee_falls_in_quiet_times(devchain: DevChain) -> None:
    for nonce in range(4):
        ask(devchain, "eth_sendRawTransaction", transfer(devchain, nonce))
    history = ask(devchain, "eth_feeHistory", "0x3", "latest", [50])
    fees = [int(fee, 16) for fee in history["baseFeePerGas"]]
    assert len(fees) == 4
    assert fees == sorted(fees, reverse=True)
    assert len(history["reward"]) == 3
