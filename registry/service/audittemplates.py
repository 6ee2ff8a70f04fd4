"""Templates as publications show them: what is listed, what is served, and what an earlier audit was told.

The address of a template ends in its digest, so a change shows at the first look; with a state it shows, too, that one
was taken away.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256

from registry.core.audit import Finding, Where, find
from registry.core.canonical import canonicalize, parse_json
from registry.core.errors import InputError
from registry.core.notation import moment_text, short
from registry.service.auditmaterial import malformed
from registry.service.auditstate import AuditState, SeenTemplate
from registry.service.published import MaterialMalformed, MaterialUnavailable
from registry.service.publishedissuers import IssuerMaterial, PublishedIssuer, PublishedTemplate

__all__ = ["TemplateAudit"]

_AGAIN = 100  # templates of each publication that were read before and are read once more
_SHOWN = 100  # differences between two copies that are named one by one

Place = tuple[bytes, str]  # issuer, address


@dataclass
class _Read:
    """One publication: by issuer the addresses of the templates that it lists, where it says anything about them, and
    below which address the issuer's status lists are.
    """

    name: str
    live: bool
    listed: dict[bytes, set[str]] = field(default_factory=dict)
    bases: dict[bytes, str | None] = field(default_factory=dict)


class TemplateAudit:
    """``add`` each publication, then ``finish`` once. ``seed``: the hash of the audited block. ``incomplete`` is added
    to.
    """

    def __init__(self, seed: bytes, incomplete: list[str], state: AuditState | None) -> None:
        self._seed = seed
        self._incomplete = incomplete
        self._state = state
        self._read: list[_Read] = []

    def add(self, material: IssuerMaterial, issuers: Iterable[PublishedIssuer]) -> Iterator[Finding]:
        read = _Read(material.name, material.live)
        self._read.append(read)
        known = self._served(material.name)
        again = set(sorted(known, key=lambda place: sha256(self._seed + place[1].encode()).digest())[:_AGAIN])
        unread: set[bytes] = set()
        for issuer in issuers:
            try:
                found = material.templates(issuer)
            except MaterialUnavailable as error:
                self._incomplete.append(str(error))
                unread.add(issuer.address)
                continue
            except MaterialMalformed as error:
                yield malformed(material, error)
                unread.add(issuer.address)
                continue
            if found is not None:
                read.listed.setdefault(issuer.address, set()).update(template.url for template in found)
                read.bases[issuer.address] = issuer.status_base
            for template in found or ():
                place = (issuer.address, template.url)
                try:
                    yield from self._template(material, issuer, template, place in known and place not in again)
                except MaterialUnavailable as error:
                    self._incomplete.append(str(error))
                except MaterialMalformed as error:
                    yield malformed(material, error)
        yield from self._gone(read, unread)

    def finish(self) -> Iterator[Finding]:
        """The publications against each other, by the issuers that they have in common with the same place for lists:
        each against the first one that tells of the issuer's templates.

        A copy and what a registry answers by itself may be of different times: a template that is in one of the two
        only says nothing.
        """
        firsts: dict[tuple[bytes, str | None, bool], _Read] = {}
        for read in self._read:
            differing: list[tuple[Place, _Read]] = []
            for issuer, listed in sorted(read.listed.items()):
                first = firsts.setdefault((issuer, read.bases[issuer], read.live), read)
                differing += [((issuer, url), first) for url in sorted(first.listed[issuer] ^ listed)]
            for (issuer, url), first in differing[:_SHOWN]:
                words = [f"the template {short(url, 200)} listed", "not listed"]
                expected, observed = words if url in first.listed[issuer] else reversed(words)
                where = Where(issuer, source=f"{read.name} {url}")
                yield find("mirrors_differ", f"{expected}, as {first.name} says", observed, where)
            if len(differing) > _SHOWN:
                observed = f"{len(differing) - _SHOWN} more templates that differ"
                yield find("mirrors_differ", "the same templates in all copies", observed, Where(source=read.name))

    def _served(self, name: str) -> set[Place]:
        """What earlier audits found to be right."""
        if self._state is None:
            return set()
        return {key[1:] for key, seen in self._state.templates.items() if key[0] == name and seen.served}

    def _template(
        self, material: IssuerMaterial, issuer: PublishedIssuer, template: PublishedTemplate, skip: bool
    ) -> Iterator[Finding]:
        key = (material.name, issuer.address, template.url)
        where = Where(issuer.address, source=f"{material.name} {template.url}")
        named = f"the template {template.name} with the SHA-256"
        digest = template.digest.hex()
        before = self._state.templates.get(key) if self._state is not None else None
        if before is not None and before.digest != digest:
            yield find("template_changed", f"{named} {before.digest}, as an earlier audit saw", digest, where)
            return
        promised = template.url.rpartition("/")[2]
        if promised != digest:
            yield find("template_changed", f"{named} that its address ends in: {short(promised)}", digest, where)
            return
        yield from self._said(template, before, where)
        if self._state is not None:
            seen = before or SeenTemplate(digest, False)
            used = template.first_used if seen.first_used is None else seen.first_used
            self._state.templates[key] = replace(seen, name=seen.name or template.name, first_used=used)
        if skip:
            return
        data = material.template(issuer, template)
        if data is None:
            yield find("template_missing", f"{named} {digest}", "none", where)
            return
        try:
            served = sha256(canonicalize(parse_json(data))).hexdigest()
        except InputError as error:
            raise MaterialMalformed(f"the template {short(template.url, 200)} cannot be read: {error}") from error
        if served != digest:
            yield find("template_changed", f"{named} {digest}", served, where)
        elif self._state is not None:
            self._state.templates[key] = replace(self._state.templates[key], served=True)

    def _said(self, template: PublishedTemplate, before: SeenTemplate | None, where: Where) -> Iterator[Finding]:
        """A registry that was restored may have used it for the first time again, and later; earlier it cannot be."""
        if before is None:
            return
        if before.name not in (None, template.name):
            expected = f"the name {before.name}, as an earlier audit saw"
            yield find("template_changed", expected, f"the name {template.name}", where)
        earlier, now = before.first_used, template.first_used
        if earlier is not None and now is not None and now < earlier:
            expected = f"first used {moment_text(earlier)}, as an earlier audit saw"
            yield find("template_changed", expected, f"first used {moment_text(now)}", where)

    def _gone(self, read: _Read, unread: set[bytes]) -> Iterator[Finding]:
        for name, issuer, url in sorted(self._state.templates if self._state is not None else ()):
            if name == read.name and issuer not in unread and url not in read.listed.get(issuer, ()):
                where = Where(issuer, source=f"{name} {url}")
                yield find("template_missing", "a template that stays listed", "none", where)
