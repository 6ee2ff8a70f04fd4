"""`registry verify`: needs no registry, only a chain and whom to trust."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from registry.cli.base import Config, Data, Json, fail_with, load
from registry.cli.output import Output, mark_of
from registry.cli.parsing import parse_address, parse_hash, parse_moment, parse_pin
from registry.core.errors import InputError

if TYPE_CHECKING:
    from registry.core.model import Bundle, IssuerPin, Verdict
    from registry.service.presenting import Alone
    from registry.service.verifying import Verifier
    from registry.settings import Settings

__all__ = ["register"]

_AT_ONCE = 200
_EXIT = {"VALID": 0, "INVALID": 1, "INDETERMINATE": 3}
_UNREADABLE = 2
_WORSE = (0, 3, 1, 2)
# What was asked and cannot be told is no yes: scripts go by the exit code.
_WHOSE = {
    True: (0, "It names this e-mail address as its learner's."),
    False: (1, "It is SOMEBODY ELSE'S: it does not name this e-mail address."),
    None: (3, "Whose it is cannot be told from an e-mail address: it names none."),
}


def register(app: typer.Typer) -> None:
    app.command("verify", cls=fail_with(_UNREADABLE))(verify)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command line says about whom to ask and trust."""

    rpc: list[str]
    contract: bytes | None
    code_hash: bytes | None
    chain_id: int | None
    policy: Path | None
    pins: "list[IssuerPin]"


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked beside whether it is valid: as of which time, and whose it is."""

    at: int | None
    subject: str | None


def verify(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Bundles, credentials, baked images; folders: *.json.")
    ],
    rpc: Annotated[list[str] | None, typer.Option(metavar="URL", help="Ask this node; can be repeated.")] = None,
    contract: Annotated[
        str | None, typer.Option(metavar="0x…", help="Trust this contract and no other, with this package's code.")
    ] = None,
    code_hash: Annotated[
        str | None, typer.Option(metavar="0x…", help="With --contract: the keccak-256 that its code has instead.")
    ] = None,
    chain_id: Annotated[
        int | None, typer.Option(min=1, help="With --contract: its chain; default: the one that the node is on.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Whom to trust (docs/spec/policy.md; `registry policy`).")
    ] = None,
    pin: Annotated[
        list[str] | None,
        typer.Option(metavar="DID[=0x…]", help="Trust this issuer, anchoring as this address; without: unanchored."),
    ] = None,
    did_documents: Annotated[
        Path | None,
        typer.Option("--did-documents", metavar="FILE|DIR", help="DID documents that count without asking anybody."),
    ] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="As of this time: 2026-11-27T12:00:00Z.")] = None,
    subject_email: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Is it this person's? If not: exit code 1; unknown: 3.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="List every check.")] = False,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Verify bundles, credentials, baked images. Exit code: 0 VALID, 1 INVALID, 3 INDETERMINATE, 2 unreadable."""
    out = Output(as_json)
    if code_hash and not contract:
        raise typer.BadParameter("--code-hash goes with --contract.")
    asked = _Asked(
        rpc or [],
        parse_address(contract, "--contract") if contract else None,
        parse_hash(code_hash, "--code-hash") if code_hash else None,
        chain_id,
        policy,
        [parse_pin(text) for text in pin or []],
    )
    question = _Question(parse_moment(at, "--at") if at else None, subject_email)
    paths = list(_expand(files))
    codes: set[int] = set()
    results: list[dict[str, Any]] = []
    chains: set[tuple[str, str]] = set()
    with ExitStack() as stack:
        settings = load(data, config)
        if did_documents is not None:
            settings = settings.model_copy(update={"did_documents": did_documents})
        verifier = _verifier(settings, asked, paths, stack)
        advance = stack.enter_context(out.track("Verifying", len(paths)))
        for start in range(0, len(paths), _AT_ONCE):
            part = paths[start : start + _AT_ONCE]
            for path, outcome in zip(part, _judge(verifier, part, question), strict=True):
                codes.add(_tell(out, path, outcome, verbose, results, chains))
            advance(len(part))
        exit_code = max(codes, key=_WORSE.index)
        _close(out, settings, chains, results, exit_code)
    raise typer.Exit(exit_code)


def _expand(files: Sequence[Path]) -> Iterator[Path]:
    for file in files:
        if file.is_dir():
            found = sorted(file.glob("*.json"))
            if not found:
                raise InputError(f"There are no *.json files in {file}.")
            yield from found
        else:
            yield file


def _judge(verifier: "Verifier", paths: Sequence[Path], question: _Question) -> "list[Verdict | str]":
    """Verdicts, or why a file cannot be read; the chain is asked once for all of them."""
    read = [_read(path) for path in paths]
    wanted = [item for item in read if not isinstance(item, str)]
    verdicts = iter(verifier.verify(wanted, at=question.at, subject=question.subject))
    return [item if isinstance(item, str) else next(verdicts) for item in read]


def _read(path: Path) -> "Bundle | Alone | str":
    from registry.service.presenting import MAX_PRESENTED_BYTES, read_presented

    try:
        with path.open("rb") as file:
            return read_presented(file.read(MAX_PRESENTED_BYTES + 1))
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except InputError as error:
        return f"neither bundle nor credential: {error}"


def _tell(
    out: Output,
    path: Path,
    outcome: "Verdict | str",
    verbose: bool,
    results: list[dict[str, Any]],
    chains: set[tuple[str, str]],
) -> int:
    from registry.core.verdict import verdict_to_json

    if isinstance(outcome, str):
        out.verdict(str(path), "UNREADABLE", outcome)
        if out.as_json:
            results.append({"file": str(path), "status": None, "error": outcome})
        return _UNREADABLE
    if outcome.chain is not None:
        chains.add((outcome.chain.chain_class.value, outcome.chain.name))
    if out.as_json:
        results.append({"file": str(path), **verdict_to_json(outcome)})
    out.verdict(str(path), outcome.status.value, _sentence(outcome))
    if verbose:
        for check in outcome.checks:
            out.say(f"    {check.outcome.value:<8} {check.name}: {check.detail}")
    if outcome.subject_asked:
        code, words = _WHOSE[outcome.subject_matches]
        out.say(f"    {words}")
        return max((code, _EXIT[outcome.status.value]), key=_WORSE.index)
    return _EXIT[outcome.status.value]


def _sentence(verdict: "Verdict") -> str:
    """The verdict in one plain sentence."""
    facts = verdict.facts
    what = facts.get("achievement") or facts.get("name") or f"the {verdict.about}"
    whose = f" for {facts['learner']}" if "learner" in facts else ""
    if verdict.status.value == "VALID":
        from registry.core.notation import time_text

        who = facts.get("issuer") or (verdict.issuer.did if verdict.issuer else "its issuer")
        when = f", anchored {time_text(verdict.anchored_at)}" if verdict.anchored_at is not None else ""
        mark = f" on a {verdict.chain.chain_class.value.upper()} chain" if verdict.chain and _marked(verdict) else ""
        later = "" if verdict.final else " (not final yet)"
        about = "" if verdict.about == "credential" else " Only the digest was checked, not the credential itself."
        then = "" if verdict.as_of is None else f" As of {time_text(verdict.as_of)}."
        if verdict.basis == "signature":
            return f"{what}{whose}, signed by {who}. NOT ANCHORED: nothing proves when it was issued.{then}"
        return f"{what}{whose}, issued by {who}{when}{mark}{later}.{about}{then}"
    wanted = ("FAIL",) if verdict.status.value == "INVALID" else ("UNKNOWN",)
    reasons = [check.detail for check in verdict.checks if check.outcome.value in wanted]
    return f"{what}{whose}. {' '.join(text if text.endswith('.') else f'{text}.' for text in reasons[:2])}"


def _marked(verdict: "Verdict") -> bool:
    return verdict.chain is not None and verdict.chain.chain_class.value != "production"


def _close(
    out: Output, settings: "Settings", chains: set[tuple[str, str]], results: list[dict[str, Any]], exit_code: int
) -> None:
    marks = [mark for chain_class, name in sorted(chains) if (mark := mark_of(chain_class, name))]
    for mark in marks:
        out.say(mark, "bold yellow")
    for warning in _end_warnings(settings, {name for _, name in chains}):
        out.warn(warning)
    out.result({"results": results, "marks": marks, "exitCode": exit_code})


def _end_warnings(settings: "Settings", names: set[str]) -> list[str]:
    from anchors.networks import load_networks
    from registry.wiring.trust import end_warnings

    networks = load_networks(settings.networks_file)
    return end_warnings(settings, [chain_id for chain_id, network in networks.items() if network.name in names])


def _verifier(settings: "Settings", asked: _Asked, paths: Sequence[Path], stack: ExitStack) -> "Verifier":
    """The data folder's own verifier if there is one and nothing else is asked for; else one made of what is said."""
    from registry.service.verifying import Verifier
    from registry.wiring.trust import outside_verifier, read_policy, with_pins

    outside = bool(asked.rpc) or asked.contract is not None
    if not outside and (settings.keystores_dir / "operator.json").is_file():
        from registry.wiring import open_registry

        registry = stack.enter_context(open_registry(settings))
        base = registry.policy() if asked.policy is None else read_policy(asked.policy)
        trusted = with_pins(base, asked.pins, instead=True)
        return Verifier(
            registry.chains, lambda: trusted, registry.context.clock, registry.status.announced, registry.judging
        )
    verifier, close = outside_verifier(
        settings,
        nodes=asked.rpc,
        contract=asked.contract,
        code_hash=asked.code_hash,
        chain_id=asked.chain_id,
        policy_file=asked.policy,
        pins=asked.pins,
        chain_ids=lambda: _named_chains(paths),
    )
    stack.callback(close)
    return verifier


def _named_chains(paths: Sequence[Path]) -> list[int]:
    """The chains that the bundles name: only asked for where the node cannot say on which chain it is."""
    from registry.core.model import Bundle

    found = (_read(path) for path in paths[:_AT_ONCE])
    return sorted({anchor.chain_id for item in found if isinstance(item, Bundle) for anchor in item.anchors})
