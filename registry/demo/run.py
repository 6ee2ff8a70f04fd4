"""The main job from one end to the other: import, seal, anchor, hand out, verify, revoke, suspend, reinstate, forge.

It uses the parts that API and command line use, and asks the same ``Verifier``. Run on a folder that it ran on before,
it goes on there with one more issuer.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import orjson

from registry.core.bundle import parse_bundle
from registry.core.canonical import parse_json
from registry.core.errors import InputError
from registry.core.model import Bundle, ChainClass, Outcome, Status, Verdict
from registry.core.notation import chain_text, hex_text
from registry.demo.narration import Narrator
from registry.demo.result import DemoResult
from registry.demo.tampering import forgeries
from registry.service.batching import Batching, BatchState
from registry.service.errors import BusyError, ConflictError, NotReadyError
from registry.service.issuers import Issuer
from registry.service.reading import Source, open_source
from registry.service.worker import Worker, only_worker
from registry.settings import Settings
from registry.wiring import Registry, open_registry
from registry.wiring.files import write_if_changed
from registry.wiring.installation import deploy_contract, initialise

__all__ = ["run_demo"]

_BATCHES = 4
_REVOKE, _SUSPEND = 5, 3
_VERIFY_AT_ONCE = 250
_WAIT_SECONDS = 900.0  # a test network needs some blocks; the embedded chain none of this


@dataclass(frozen=True, slots=True)
class _Kept:
    """One bundle that was handed out: the registry's id of its credential, and its file."""

    id: str
    path: Path

    def parse(self) -> Bundle:
        return parse_bundle(self.path.read_bytes())


def run_demo(
    settings: Settings, narrator: Narrator, input_file: Path | None = None, template_file: Path | None = None
) -> DemoResult:
    """Runs everything in the settings' data folder. Raises RegistryError if a step cannot be done at all."""
    with ExitStack() as stack:
        data = stack.enter_context(as_file(files("registry.demo") / "data"))
        source = open_source(*_inputs(data, input_file, template_file))
        return _Demo(settings, narrator).run(source, stack)


def _inputs(data: Path, input_file: Path | None, template_file: Path | None) -> tuple[Path, Path | None]:
    if input_file is None:
        return data / "learners.csv", template_file or data / "template.json"
    if template_file is None and input_file.suffix.lower() == ".csv":
        return input_file, data / "template.json"
    return input_file, template_file


class _Demo:
    def __init__(self, settings: Settings, narrator: Narrator) -> None:
        self._settings = settings
        self._tell = narrator
        self._result = DemoResult(settings.data_dir, settings.data_dir / "bundles")

    def run(self, source: Source, stack: ExitStack) -> DemoResult:
        started = time.monotonic()
        result = self._result
        with self._phase("setup", "1. A registry, and a chain to anchor on"):
            registry = stack.enter_context(self._open())
            issuer = self._new_issuer(registry)
            worker = self._only_worker(registry, stack)
        with self._phase("import", f"2. Import: {source.path.name}"):
            self._import(registry, issuer, source)
        if not result.issued:
            return result
        with self._phase("anchor", "3. Seal and anchor"):
            self._anchor(registry, issuer, worker)
        with self._phase("bundles", "4. Bundles for the holders"):
            kept = self._write_bundles(registry, issuer)
        with self._phase("verify", "5. Verify all of them"):
            verdicts = self._verify(registry, kept)
            result.verified = sum(verdict.status is Status.VALID for verdict in verdicts)
            self._tell.say(f"{result.verified:,} of {len(kept):,} are VALID.")
        revoked, suspended, rest = self._choose(kept)
        with self._phase("status", "6. Revoke, suspend, reinstate"):
            self._change_status(registry, issuer, worker, revoked, suspended)
        with self._phase("tamper", "7. Forgeries"):
            self._forge(registry, rest)
        result.seconds = time.monotonic() - started
        result.example = str(rest[0].path) if rest else None
        result.revoked_example = str(revoked[0].path) if revoked else None
        return result

    @contextmanager
    def _phase(self, name: str, title: str) -> Iterator[None]:
        self._tell.heading(title)
        started = time.monotonic()
        yield
        self._result.phases[name] = time.monotonic() - started

    # 1

    def _open(self) -> Registry:
        made = initialise(self._settings, self._tell.say)
        if made.network.chain_class is ChainClass.PRODUCTION:
            raise ConflictError("production", f"The demo does not write to {made.network.name}; name a test network.")
        if made.binding is None:
            deploy_contract(self._settings, self._tell.say, record=False)
        registry = open_registry(self._settings)
        chain = registry.context.chain
        self._result.chain, self._result.contract = chain_text(chain.chain_id), hex_text(chain.contract)
        loud = "a TEST network" if made.network.chain_class is ChainClass.TEST else "a DEVELOPMENT chain, NO real one"
        self._tell.say(f"Contract {hex_text(chain.contract)} on {made.network.name}: {loud}.")
        return registry

    def _new_issuer(self, registry: Registry) -> Issuer:
        number = 1
        while registry.issuers.exists(name := "demo" if number == 1 else f"demo-{number}"):
            number += 1
        issuer = registry.hosting.create(name)
        self._result.issuer = name
        self._tell.say(f"Issuer {name}: {issuer.did}, on chain {hex_text(issuer.address)}.")
        return issuer

    def _only_worker(self, registry: Registry, stack: ExitStack) -> Worker | None:
        """Our own worker; None where another one (`registry serve`) does the work."""
        try:
            stack.enter_context(only_worker(registry.context.database))
        except BusyError:
            self._tell.say("Another worker runs on this folder; it does the anchoring.")
            return None
        return registry.worker()

    # 2

    def _import(self, registry: Registry, issuer: Issuer, source: Source) -> None:
        result = self._result
        with self._tell.track("Importing", source.size) as on_bytes:
            for line in registry.issuing.import_submissions(issuer, source.read(source.key, on_bytes)):
                if line.error is None:
                    result.issued += 1
                else:
                    result.rejected += 1
                    if len(result.rejected_lines) < 100:
                        result.rejected_lines.append({"line": line.line, "reason": str(line.error)})
        colon = ":" if result.rejected else "."
        self._tell.say(f"{result.issued:,} credentials accepted, {result.rejected:,} lines rejected{colon}")
        for entry in result.rejected_lines[:10]:
            self._tell.say(f"  line {entry['line']}: {entry['reason']}")

    # 3

    def _anchor(self, registry: Registry, issuer: Issuer, worker: Worker | None) -> None:
        result = self._result
        size = max(1, -(-result.issued // _BATCHES))
        context = replace(registry.context, rules=replace(registry.context.rules, batch_max_size=size))
        Batching(context).seal_all(issuer)
        batches = registry.batching.page(issuer.id, limit=1_000)
        result.batches = len(batches)
        with self._tell.track("Anchoring", len(batches)) as advance:

            def final() -> bool:
                done = sum(batch.state is BatchState.FINAL for batch in registry.batching.page(issuer.id, limit=1_000))
                advance(done - result.anchored)
                result.anchored = done
                return done == len(batches)

            self._until(final, "the batches to be final", registry, worker)
        for batch in registry.batching.page(issuer.id, limit=1_000):
            root = batch.root.hex()[:16]
            self._tell.say(f"Batch {batch.first:,} to {batch.end - 1:,}: root {root}… in block {batch.block_number}.")

    def _until(self, done: Callable[[], bool], what: str, registry: Registry, worker: Worker | None) -> None:
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            step = worker.run_once() if worker else None
            if done():
                return
            if step is not None and step.error:
                self._tell.say(f"{step.error} Trying again …")
            if time.monotonic() > deadline:
                raise NotReadyError("timeout", f"Waited {_WAIT_SECONDS:.0f} s for {what}. See `registry batches`.")
            time.sleep(min(registry.settings.poll_seconds, 1.0))

    # 4

    def _write_bundles(self, registry: Registry, issuer: Issuer) -> list[_Kept]:
        kept = []
        with self._tell.track("Writing bundles", self._result.issued) as advance:
            for credential_id, content in registry.bundles.all(issuer):
                path = self._result.bundles / f"{credential_id}.json"
                write_if_changed(path, content)
                kept.append(_Kept(credential_id, path))
                advance(1)
        self._result.written = len(kept)
        self._tell.say(f"{len(kept):,} bundles in {self._result.bundles}.")
        return kept

    # 5

    def _verify(self, registry: Registry, kept: Sequence[_Kept]) -> list[Verdict]:
        """Reads the files back, as a verifier would get them."""
        verdicts: list[Verdict] = []
        with self._tell.track("Verifying", len(kept)) as advance:
            for start in range(0, len(kept), _VERIFY_AT_ONCE):
                part = [item.parse() for item in kept[start : start + _VERIFY_AT_ONCE]]
                verdicts += registry.verifier.verify(part)
                advance(len(part))
        return verdicts

    # 6

    @staticmethod
    def _choose(kept: Sequence[_Kept]) -> tuple[Sequence[_Kept], Sequence[_Kept], Sequence[_Kept]]:
        """Some to revoke, some to suspend (from all over the batches), and the rest; a single one is left alone."""
        share = len(kept) // 4 or (1 if len(kept) > 2 else 0)
        revoke, suspend = min(_REVOKE, share), min(_SUSPEND, share)
        step = max(1, len(kept) // max(1, revoke + suspend))
        taken = [*range(0, len(kept), step)][: revoke + suspend]
        rest = [item for place, item in enumerate(kept) if place not in set(taken)]
        chosen = [kept[place] for place in taken]
        return chosen[:revoke], chosen[revoke:], rest

    def _change_status(
        self,
        registry: Registry,
        issuer: Issuer,
        worker: Worker | None,
        revoked: Sequence[_Kept],
        suspended: Sequence[_Kept],
    ) -> None:
        result = self._result
        result.revoked, result.suspended, result.reinstated = len(revoked), len(suspended), len(suspended)
        self._request(registry, issuer, worker, [(item, "revoke") for item in revoked])
        self._request(registry, issuer, worker, [(item, "suspend") for item in suspended])
        result.revoked_detected = self._count(registry, revoked, "revoked", Status.INVALID, "revoked")
        result.suspended_detected = self._count(registry, suspended, "suspended", Status.INVALID, "suspended")
        self._request(registry, issuer, worker, [(item, "reinstate") for item in suspended])
        result.reinstated_valid = self._count(registry, suspended, "reinstated", Status.VALID, None)

    def _request(
        self, registry: Registry, issuer: Issuer, worker: Worker | None, wanted: Sequence[tuple[_Kept, str]]
    ) -> None:
        for item, action in wanted:
            registry.status.request(issuer, item.id, action, "shown in the demo")

        def on_chain() -> bool:
            # Asking again for what was asked last gives the state of that request.
            states = {registry.status.request(issuer, item.id, action).state for item, action in wanted}
            return states <= {"ON_CHAIN", "FINAL"}

        self._until(on_chain, "the changes to be on chain", registry, worker)

    def _count(self, registry: Registry, kept: Sequence[_Kept], what: str, status: Status, code: str | None) -> int:
        """How many have that verdict, and a FAIL with that code where one is named."""
        found = 0
        for verdict in self._verify(registry, kept):
            codes = {str(check.code) for check in verdict.checks if check.outcome is Outcome.FAIL}
            found += verdict.status is status and (code is None or code in codes)
            learner = verdict.facts.get("learner", "")
            self._tell.verdict(f"{learner}, {what}" if learner else what, verdict.status, _reason(verdict))
        return found

    # 7

    def _forge(self, registry: Registry, rest: Sequence[_Kept]) -> None:
        if not rest:
            return
        genuine, other = (parse_json(item.path.read_bytes()) for item in (rest[0], rest[-1]))
        for forgery in forgeries(genuine, other):
            self._result.tampered += 1
            status, reason = self._judge(registry, forgery.bundle)
            self._result.tampered_detected += status != Status.VALID
            self._tell.verdict(forgery.what, status, reason)

    @staticmethod
    def _judge(registry: Registry, document: dict[str, Any]) -> tuple[str, str]:
        try:
            bundle = parse_bundle(orjson.dumps(document))
        except InputError as error:
            return "REFUSED", f"Not a bundle: {error}."
        [verdict] = registry.verifier.verify([bundle])
        return verdict.status.value, _reason(verdict)


def _reason(verdict: Verdict) -> str:
    """The first check that failed, or could not be made."""
    for outcome in (Outcome.FAIL, Outcome.UNKNOWN):
        for check in verdict.checks:
            if check.outcome is outcome and (outcome is Outcome.FAIL or verdict.status is Status.INDETERMINATE):
                return f"{check.name}: {check.detail}"
    return "all checks passed"
