"""Everything at once: people's requests, a worker, power cuts, a bad node and a chain that changes its mind, at random.

Each seed is one life of a registry. While it lives, what must never be true is looked for after every action; at its
end everything is well again, the worker comes to rest, and what was asked for has to be what the chain says.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, select

from anchors.base import BatchAnchored, ChainError
from registry.core.bundle import parse_bundle
from registry.core.model import Status
from registry.service import operations as calls
from registry.service.errors import ConflictError, ForbiddenError, GoneError, NotReadyError
from registry.service.issuers import SELF, Issuer
from registry.service.issuing import Submission
from registry.store.tables import credentials, issuers, operations, outbox, status_requests
from support.fake_chain import GWEI, FakeSigner
from support.house import PAYER, House, document, open_house

CONFIRMATIONS = 3
ACTIONS = 120
LIVES = 24


class PulledPlug(BaseException):
    """Nothing catches it: the process is gone."""


@dataclass
class Wish:
    """What was asked for of one credential."""

    issuer: str
    revoked: bool = False
    suspended: bool = False
    withdrawn: bool = False
    erased: bool = False


@dataclass
class Life:
    """One registry and everything that is done to it."""

    house: House
    random: random.Random
    wishes: dict[str, Wish] = field(default_factory=dict)
    requests: list[tuple[str, str | None, dict[str, Any], str]] = field(default_factory=list)  # issuer, key, doc, id
    kept: dict[str, bytes] = field(default_factory=dict)  # bundles that left the service
    was_final: set[tuple[bytes, bytes, int]] = field(default_factory=set)
    foreign_nonces: set[int] = field(default_factory=set)
    log: list[str] = field(default_factory=list)
    countdown: int | None = None
    number: int = 0

    # --- the plug ---

    def connect(self) -> None:
        house = self.house

        @event.listens_for(house.database.engine, "connect")
        def hurry(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA synchronous=OFF")  # the process dies here, never the machine

        house.database.engine.dispose()
        house.chain.fault = lambda _name, _when: self.pass_()
        original = house.database.write

        @contextmanager
        def write() -> Iterator[Connection]:
            with original() as connection:
                yield connection
                self.pass_()
            self.pass_()

        house.database.write = write  # type: ignore[method-assign]

    def pass_(self) -> None:
        if self.countdown is not None:
            self.countdown -= 1
            if self.countdown < 0:
                self.countdown = None
                raise PulledPlug

    def survive(self, action: Callable[[], None]) -> None:
        """Whoever was cut off asks again after the restart."""
        while True:
            try:
                return action()
            except PulledPlug:
                self.log.append("  power cut")
                self.house = self.house.reopen()
                self.connect()

    # --- people ---

    def issuer(self, name: str) -> Issuer:
        return self.house.issuers.look_up(name)

    def create_issuers(self) -> None:
        for name in ("hosted", "other"):
            if not self.house.issuers.exists(name):
                self.house.hosting.create(name)
        if not self.house.issuers.exists("self"):
            self.house.issuers.create("self", FakeSigner(b"\x51" * 20).address, SELF)

    def submit(self) -> None:
        name, size = self.random.choice(NAMES), self.random.choice((1, 1, 1, 2, 5))
        items = []
        for _ in range(size):
            self.number += 1
            key = f"key-{self.number}" if self.random.random() < 0.7 else None
            identified = key is None or self.random.random() < 0.5
            items.append((key, document(f"urn:example:{self.number}" if identified else None)))

        def ask() -> None:
            issuer = self.issuer(name)
            try:
                if size == 1:
                    [(key, content)] = items
                    answers: list[Any] = [self.house.issuing.submit(issuer, content, key)]
                else:
                    lines = [Submission(content, key, n) for n, (key, content) in enumerate(items)]
                    results = self.house.issuing.import_submissions(issuer, lines)
                    answers = [result.accepted or result.error for result in results]
            except NotReadyError:
                return
            except ConflictError as error:
                answers = [error]
            for (key, content), answer in zip(items, answers, strict=True):
                if isinstance(answer, ConflictError):  # without a key: it was accepted before the power cut
                    assert key is None
                    credential_id = self.external(issuer, content["id"])
                else:
                    credential_id = answer.id
                self.wishes[credential_id] = Wish(name)
                self.requests.append((name, key, content, credential_id))

        self.survive(ask)

    def external(self, issuer: Issuer, external_id: str) -> str:
        with self.house.database.read() as connection:
            found: str = connection.execute(
                select(credentials.c.id).where(
                    credentials.c.issuer_id == issuer.id, credentials.c.external_id == external_id
                )
            ).scalar_one()
        return found

    def repeat(self) -> None:
        if not self.requests:
            return
        name, key, content, credential_id = self.random.choice(self.requests)
        wish = self.wishes[credential_id]

        def ask() -> None:
            try:
                answer = self.house.issuing.submit(self.issuer(name), content, key)
            except NotReadyError:
                return
            except ConflictError:
                assert key is None or wish.withdrawn or wish.erased
                return
            if key is None:  # a withdrawn or erased credential's id is free again
                assert wish.withdrawn or wish.erased
                self.wishes[answer.id] = Wish(name)
            else:
                assert answer.id == credential_id

        if key is not None or not (wish.withdrawn or wish.erased):
            self.survive(ask)

    def change_status(self) -> None:
        if not self.wishes:
            return
        among = self.kept if self.kept and self.random.random() < 0.5 else self.wishes
        credential_id = self.random.choice(list(among))
        wish = self.wishes[credential_id]
        action = self.random.choice(("revoke", "suspend", "suspend", "reinstate", "reinstate", "erase"))
        self.log.append(f"  {action} {credential_id}")

        def ask() -> None:
            issuer = self.issuer(wish.issuer)
            try:
                if action == "erase":
                    self.house.status.erase(issuer, credential_id)
                    wish.erased = True
                    return
                state = self.house.status.request(issuer, credential_id, action).state
            except GoneError as error:
                wish.withdrawn |= error.code == "withdrawn"
                wish.erased |= error.code == "erased"
                return
            except ConflictError as error:
                if not (wish.revoked if error.code == "revoked" else error.code == "not_suspended"):
                    raise
                return
            wish.withdrawn |= state == "WITHDRAWN"
            wish.revoked |= action == "revoke"
            if action != "revoke":
                wish.suspended = action == "suspend"

        self.survive(ask)

    def seal(self) -> None:
        name = self.random.choice(NAMES)
        self.survive(lambda: void(self.house.batching.seal(self.issuer(name))))

    def sign(self, seconds: int | None = None) -> None:
        seconds = seconds or self.random.choice((60, 600, 3_000))
        signer = FakeSigner(b"\x51" * 20)

        def ask() -> None:
            for request in self.house.signing.requests(self.issuer("self")):
                deadline = self.house.clock.now + seconds
                authority = signer.sign_call(
                    chain_id=request.chain_id, contract=request.contract, call=request.call, deadline=deadline
                )
                # a suspension's counter may have moved on: the next request has it
                with suppress(ConflictError, ForbiddenError, ChainError):
                    self.house.signing.submit(request.id, authority)

        self.survive(ask)

    def authorize(self) -> None:
        def ask() -> None:
            for name in ("hosted", "other"):
                with suppress(ConflictError, ChainError):
                    self.house.hosting.authorize(self.issuer(name))

        self.survive(ask)

    def claim(self) -> None:
        """Claims of DIDs whose signatures ran out are signed again."""

        def ask() -> None:
            with self.house.database.read() as connection:
                waiting = calls.load(
                    connection,
                    operations.c.kind == calls.SET_DID,
                    operations.c.state == "PENDING",
                    operations.c.signature.is_(None),
                )
            for operation in waiting:
                with suppress(ConflictError, ChainError):
                    self.house.hosting.claim(self.house.issuers.by_id(operation.issuer_id))

        self.survive(ask)

    def fetch(self) -> None:
        """Somebody fetches a bundle; it may only be one of a batch that was final."""
        for credential_id in self.random.sample(list(self.wishes), min(2, len(self.wishes))):
            try:
                data = self.house.bundles.get(credential_id)
            except (GoneError, NotReadyError):
                continue
            bundle = parse_bundle(data)
            anchor = bundle.anchors[0]
            assert (anchor.issuer, bundle.inclusion.root, anchor.first_index) in self.was_final
            chain = self.house.chain
            block = chain.blocks[anchor.block_number] if anchor.block_number < len(chain.blocks) else chain.blocks[0]
            if block.ref.hash == anchor.block_hash:  # no reorganisation below finality that the worker has yet to see
                self.kept[credential_id] = data

    # --- the machine and the node ---

    def step(self) -> None:
        self.survive(lambda: void(self.house.worker.step()))

    def run(self) -> None:
        self.survive(lambda: void(self.house.worker.run_once()))

    def cut_power_soon(self) -> None:
        self.countdown = self.random.randrange(60)

    def restart(self) -> None:
        self.house = self.house.reopen()
        self.connect()

    def toggle_node(self) -> None:
        self.house.chain.unreachable = not self.house.chain.unreachable

    def toggle_automine(self) -> None:
        self.house.chain.automine = not self.house.chain.automine

    def toggle_history(self) -> None:
        self.house.chain.pruned = not self.house.chain.pruned

    def toggle_funds(self) -> None:
        balances = self.house.chain.balances
        balances[PAYER] = 1 if balances.get(PAYER, 2) != 1 else 10**18

    def change_fee(self) -> None:
        self.house.chain.base_fee = self.random.choice((1, 1, 5, 40, 700)) * GWEI

    def drop_mempool(self) -> None:
        self.house.chain.mempool.clear()

    def mine(self) -> None:
        self.house.chain.mine(self.random.randrange(1, 4))

    def reorganise(self) -> None:
        """No deeper than what counts as final."""
        self._reorganise(self.random.randrange(1, CONFIRMATIONS))

    def reorganise_deeply(self) -> None:
        if self.random.random() < 0.3:
            self._reorganise(self.random.randrange(CONFIRMATIONS, CONFIRMATIONS + 4))

    def _reorganise(self, depth: int) -> None:
        chain = self.house.chain
        depth = min(depth, len(chain.blocks) - 1)
        if depth >= CONFIRMATIONS:
            self.kept.clear()
        chain.reorganise(depth, keep=self.random.random() < 0.5, blocks=depth + self.random.randrange(0, 3))

    def foreign_anchor(self) -> None:
        if self.random.random() < 0.5:
            issuer = self.issuer(self.random.choice(NAMES))
            root = self.random.randbytes(32)
            self.house.chain.foreign_anchor(issuer.address, root, self.random.choice((1, 2, 5, 300)))

    def foreign_transaction(self) -> None:
        chain = self.house.chain
        self.foreign_nonces.add(chain.tip.state.account_nonce.get(PAYER, 0))
        chain.foreign_transaction(PAYER)

    def forget_the_chain(self) -> None:
        """Somebody empties the follower's tables; not just when the chain loses what was final (see the follower)."""
        if not self.house.chain.unreachable and self.countdown is None:
            self.house.worker.step()
            self.house.worker.follower.rebuild()
            self.house.worker.step()

    def heal(self) -> None:
        """Nothing stays bad for long: a life in which nothing gets done tests nothing."""
        chain = self.house.chain
        chain.unreachable &= self.random.random() < 0.6
        chain.pruned &= self.random.random() < 0.8
        chain.automine |= self.random.random() < 0.15
        if self.random.random() < 0.2:
            chain.balances.clear()
        if self.random.random() < 0.2:
            chain.base_fee = GWEI

    # --- what must hold at any time ---

    def look(self) -> None:
        chain, countdown = self.house.chain, self.countdown
        self.countdown = None  # looking is not part of the story
        for block in chain.blocks[: len(chain.blocks) - CONFIRMATIONS + 1][-8:]:
            self.was_final |= block.state.records.keys()
        self.fetch()
        some = dict(self.random.sample(list(self.kept.items()), min(5, len(self.kept))))
        verdicts = self.house.verifier.verify([parse_bundle(data) for data in some.values()])
        for credential_id, verdict in zip(some, verdicts, strict=True):
            wish = self.wishes[credential_id]
            if chain.unreachable:
                assert verdict.status is Status.INDETERMINATE, (credential_id, verdict)
            elif wish.revoked:
                assert verdict.status is not Status.VALID, (credential_id, verdict)
            failed = {check.name for check in verdict.checks if check.outcome == "FAIL"}
            assert failed <= ({"revocation", "suspension"} if wish.revoked else {"suspension"}), (credential_id, failed)
        with self.house.database.read() as connection:
            live = connection.execute(
                select(outbox.c.operation_id, func.count())
                .where(outbox.c.state.in_(("OPEN", "MINED")), outbox.c.operation_id.is_not(None))
                .group_by(outbox.c.operation_id)
                .having(func.count() > 1)
            ).all()
            assert not live
            nonces = set(connection.scalars(select(outbox.c.nonce)))
        assert nonces | self.foreign_nonces >= set(range(max(nonces, default=0)))
        self.countdown = countdown

    # --- the end ---

    def come_to_rest(self) -> None:
        chain = self.house.chain
        self.countdown = None
        chain.unreachable = chain.pruned = False
        chain.automine, chain.base_fee = True, GWEI
        chain.balances.clear()
        quiet = 0
        for _ in range(80):
            before = self.picture()
            for name in NAMES:
                self.house.batching.seal_all(self.issuer(name))
            self.sign(3_000)
            self.authorize()
            self.claim()
            self.house.settle()
            self.house.clock.advance(70)
            chain.mine()
            quiet = quiet + 1 if self.picture() == before else 0
            if quiet == 3:
                # What a node kept from the follower comes out when its words are compared with the contract's.
                self.house.clock.advance(3_600)
                for _ in range(2):
                    chain.mine()
                    self.house.settle()
                return
        raise AssertionError(f"it does not come to rest: {before}")

    def picture(self) -> Any:
        with self.house.database.read() as connection:
            return [
                connection.execute(select(*columns).order_by(columns[0])).all()
                for columns in (
                    (operations.c.id, operations.c.kind, operations.c.state, operations.c.note),
                    (outbox.c.nonce, outbox.c.state),
                    (status_requests.c.id, status_requests.c.action, status_requests.c.state),
                    (issuers.c.id, issuers.c.next_index, issuers.c.halted),
                )
            ] + [self.house.batch_states()]

    def judge(self) -> None:
        house, picture = self.house, self.picture()
        assert {row.state for row in picture[0]} <= {"DONE", "CANCELLED"}, picture[0]
        assert {row.state for row in picture[1]} <= {"DONE", "REVERTED", "LOST"}, picture[1]
        assert {row.state for row in picture[2]} <= {"FINAL", "SUPERSEDED"}, picture[2]
        assert {row.halted for row in picture[3]} == {None}
        assert set(picture[4]) <= {"FINAL", "DISPLACED"}
        for name in NAMES:
            self.judge_sequence(self.issuer(name))
        for credential_id, wish in self.wishes.items():
            if wish.withdrawn or wish.erased:
                with pytest.raises(GoneError):
                    house.bundles.get(credential_id)
                continue
            verdict = house.verify(credential_id)
            expected = Status.INVALID if wish.revoked or wish.suspended else Status.VALID
            bad = {check.name for check in verdict.checks if check.outcome == "FAIL"}
            assert verdict.status is expected, (credential_id, wish, bad)
            asked = (wish.revoked, "revocation"), (wish.suspended, "suspension")
            assert bad == {name for wanted, name in asked if wanted}
        for credential_id, data in self.kept.items():
            wish = self.wishes[credential_id]
            [verdict] = house.verifier.verify([parse_bundle(data)])
            assert (verdict.status is Status.VALID) == (not wish.revoked and not wish.suspended)

    def judge_sequence(self, issuer: Issuer) -> None:
        """The chain's batches tile its range; ours are among them; every credential is in one of ours, at its place."""
        house, chain = self.house, self.house.chain
        events = [e for block in chain.blocks for e in block.events if isinstance(e, BatchAnchored)]
        anchored = [e for e in events if e.issuer == issuer.address]
        end = 0
        for found in anchored:
            assert found.first == end
            end += found.size
        assert chain.tip.state.next_index.get(issuer.address, 0) == end == max(issuer.next_index, end)
        ours = {(b.root, b.first): b for b in house.batching.page(issuer.id, limit=10_000) if b.state == "FINAL"}
        assert ours.keys() <= {(e.root, e.first) for e in anchored}
        with house.database.read() as connection:
            rows = connection.execute(select(credentials).where(credentials.c.issuer_id == issuer.id)).all()
        by_id = {batch.id: batch for batch in ours.values()}
        assert len(rows) == sum(batch.size for batch in by_id.values())
        for row in rows:
            batch = by_id[row.batch_id]
            place = row.credential_index - batch.first
            assert house.batching.leaves(batch)[32 * place : 32 * place + 32] == row.leaf
        words = range(end // 256 + 1)
        assert house.worker.follower.words(issuer.address, words) == chain.read_words(issuer.address, list(words))


NAMES = ("hosted", "other", "self")
WEIGHTS: dict[Callable[[Life], None], int] = {
    Life.submit: 14,
    Life.repeat: 4,
    Life.change_status: 14,
    Life.seal: 10,
    Life.step: 16,
    Life.run: 6,
    Life.sign: 6,
    Life.authorize: 2,
    Life.claim: 1,
    Life.mine: 14,
    Life.reorganise: 6,
    Life.reorganise_deeply: 4,
    Life.foreign_anchor: 4,
    Life.foreign_transaction: 2,
    Life.cut_power_soon: 8,
    Life.restart: 1,
    Life.toggle_node: 3,
    Life.toggle_automine: 4,
    Life.toggle_history: 2,
    Life.toggle_funds: 2,
    Life.change_fee: 3,
    Life.drop_mempool: 2,
    Life.forget_the_chain: 2,
}


def void(_: object) -> None:
    """For calls whose answer says nothing here."""


def live(folder: Path, seed: int) -> None:
    life = Life(open_house(folder, confirmations=CONFIRMATIONS, batch_max_size=4), random.Random(seed))
    life.connect()
    try:
        life.survive(life.create_issuers)
        for _ in range(ACTIONS):
            [action] = life.random.choices(list(WEIGHTS), list(WEIGHTS.values()))
            life.log.append(action.__name__)
            action(life)
            life.look()
            life.heal()
            life.house.clock.advance(life.random.choice((0, 1, 5, 20, 130)))
        life.log.append("rest")
        life.come_to_rest()
        life.judge()
    except BaseException as error:
        error.add_note(f"seed {seed}: " + "\n".join(life.log))
        raise
    finally:
        life.house.close()


@pytest.mark.parametrize("seed", range(LIVES))
def test_whatever_happens_the_chain_ends_up_saying_what_was_asked_for(tmp_path: Path, seed: int) -> None:
    live(tmp_path, seed)
