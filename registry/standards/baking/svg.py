"""Credentials and their proofs in SVG images: Open Badges 3.0 section 5.3.2.

The image is scanned by the standard library's expat and changed by cutting and inserting bytes: what is not ours stays
as it was written, and no tree is built. Documents that declare anything in a DTD are refused before the first entity is
read; a mere DOCTYPE line, which drawing programs write, names a DTD that nobody fetches.
"""

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from registry.core.notation import short
from registry.standards.baking.content import Content
from registry.standards.baking.errors import BakingError

__all__ = ["bake_svg", "extract_companion_svg", "extract_svg"]

_NAMESPACE = "https://purl.imsglobal.org/ob/v3p0"
_CREDENTIAL = f"{_NAMESPACE} credential"
_COMPANION_NAMESPACE = "urn:credential-registry:bundle"
_COMPANION = f"{_COMPANION_NAMESPACE} bundle"
_ASSERTION_2 = "http://openbadges.org assertion"
_ENCODINGS = frozenset({"utf-8", "us-ascii", "iso-8859-1", "utf-16"})  # what expat knows by itself
_UTF_16 = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
_TAG_END = re.compile(rb"""(?:[^"'>]++|"[^"]*"|'[^']*')*+>""")
_NAME = re.compile(rb"<([^\s/>]+)")
# XML 1.0 section 2.2 has no form for them; JSON has.
_UNWRITABLE = {"\ufffe": "\\ufffe", "\uffff": "\\uffff"}


@dataclass(slots=True)
class _Element:
    """A credential's or a companion's element: its bytes in the file, its attribute, its text."""

    start: int
    nested: bool  # inside another one
    end: int = -1
    verify: str | None = None
    text: list[str] = field(default_factory=list)
    has_children: bool = False


@dataclass(slots=True)
class _Scan:
    """What is found while expat walks the image."""

    encoding: str = "utf-8"
    root: int = -1  # where the <svg> tag begins
    prefixes: dict[str | None, str] = field(default_factory=dict)  # declared on <svg>
    credentials: list[_Element] = field(default_factory=list)
    companions: list[_Element] = field(default_factory=list)
    assertion_2: bool = False


def bake_svg(image: bytes, content: Content, companion: bytes | None) -> bytes:
    """The image with the credential directly behind its ``<svg>`` tag, and the companion directly behind that.

    What is already there of both is replaced.

    Only UTF-8 images are baked. Raises BakingError.
    """
    scan = _scan(image)
    if scan.encoding != "utf-8" or image.startswith(_UTF_16):
        raise BakingError("svg_encoding", "The SVG file is not written in UTF-8; save it as UTF-8.")
    ours = [former for former in (*scan.credentials, *scan.companions) if not former.nested]
    if ours:
        starts = sorted(former.start for former in ours)
        ends = sorted(former.end for former in ours)
        image = b"".join(image[end:start] for end, start in zip([0, *ends], [*starts, len(image)], strict=True))
        scan = _scan(image)
    declared = scan.prefixes.get("openbadges")
    declaration = f' xmlns:openbadges="{_NAMESPACE}"'
    elements = _element(content, declaration if declared not in (None, _NAMESPACE) else "").encode()
    if companion is not None:
        elements += f'<bundle xmlns="{_COMPANION_NAMESPACE}">{_cdata(companion)}</bundle>'.encode()
    tag_end = _tag_end(image, scan.root)
    name = _name(image, scan.root)
    name_end = scan.root + 1 + len(name)
    head = image[:name_end] + (declaration.encode() if declared is None else b"")
    if image[tag_end - 2 : tag_end] == b"/>":
        return head + image[name_end : tag_end - 2] + b">" + elements + b"</" + name + b">" + image[tag_end:]
    return head + image[name_end:tag_end] + elements + image[tag_end:]


def extract_svg(image: bytes) -> bytes:
    """The text of the one credential element. Raises BakingError; two are refused, as in a PNG image."""
    scan = _scan(image)
    if not scan.credentials:
        if scan.assertion_2:
            raise BakingError("open_badges_2", "The image holds an Open Badges 2 assertion, not a 3.0 credential.")
        raise BakingError("no_credential", "No credential is baked into this image.")
    found = scan.credentials[0]
    text = "".join(found.text).strip()
    if found.has_children or (found.verify is not None and text):
        message = "The image's credential stands neither in one attribute nor in one text; readers could differ on it."
        raise BakingError("ambiguous_credential", message)
    if len(scan.credentials) > 1:
        raise BakingError("several_credentials", "The image holds several credentials; one is allowed.")
    return (text if found.verify is None else found.verify).encode()


def extract_companion_svg(image: bytes) -> bytes | None:
    """The text of the one companion element; None if there is none. Raises BakingError."""
    companions = _scan(image).companions
    if len(companions) > 1:
        raise BakingError("several_companions", "The image holds the proofs of several credentials; one is allowed.")
    if any(found.has_children for found in companions):
        raise BakingError("not_a_companion", "The proof in the image has elements inside; it is one text.")
    return "".join(companions[0].text).encode() if companions else None


def _element(content: Content, declaration: str) -> str:
    if content.form == "jws":
        text = content.data.decode()
        return f'<openbadges:credential{declaration} verify="{text}"></openbadges:credential>'
    return f"<openbadges:credential{declaration}>{_cdata(content.data)}</openbadges:credential>"


def _cdata(json: bytes) -> str:
    text = json.decode()
    for character, escape in _UNWRITABLE.items():
        text = text.replace(character, escape)  # outside strings, strict JSON has none of them
    text = text.replace("]]>", "]]]]><![CDATA[>")
    return f"<![CDATA[{text}]]>"


def _scan(image: bytes) -> _Scan:
    """Walks the image once. Raises BakingError."""
    scan = _Scan()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.buffer_text = True
    open_elements: list[_Element | None] = []  # from <svg> inwards; an _Element where it is one of ours
    open_ours = 0

    def on_declaration(version: str, encoding: str | None, standalone: int) -> None:
        scan.encoding = (encoding or "utf-8").lower()
        if scan.encoding not in _ENCODINGS:
            raise BakingError("svg_encoding", f"SVG files in {short(scan.encoding)} are not read; save it as UTF-8.")

    def on_doctype(name: str, system: str | None, public: str | None, has_subset: int) -> None:
        if has_subset:
            message = "The SVG file declares entities or other things of a DTD; such files are not read. Remove them."
            raise BakingError("svg_entities", message)

    def on_namespace(prefix: str | None, address: str | None) -> None:
        if not open_elements:
            scan.prefixes[prefix] = address or ""

    def on_start(name: str, attributes: dict[str, str]) -> None:
        nonlocal open_ours
        if not open_elements:
            if name.rpartition(" ")[2] != "svg":
                raise BakingError("not_an_image", "An XML file, but no SVG image.")
            scan.root = parser.CurrentByteIndex
        parent = open_elements[-1] if open_elements else None
        if parent is not None:
            parent.has_children = True
        scan.assertion_2 |= name == _ASSERTION_2
        element = None
        if name in (_CREDENTIAL, _COMPANION):
            element = _Element(parser.CurrentByteIndex, nested=open_ours > 0, verify=attributes.get("verify"))
            (scan.credentials if name == _CREDENTIAL else scan.companions).append(element)
            open_ours += 1
        open_elements.append(element)

    def on_end(name: str) -> None:
        nonlocal open_ours
        element = open_elements.pop()
        if element is not None:
            open_ours -= 1
            element.end = _element_end(image, element.start, parser.CurrentByteIndex)

    def on_text(text: str) -> None:
        element = open_elements[-1] if open_elements else None
        if element is not None:
            element.text.append(text)

    parser.XmlDeclHandler = on_declaration
    parser.StartDoctypeDeclHandler = on_doctype
    parser.StartNamespaceDeclHandler = on_namespace
    parser.StartElementHandler = on_start
    parser.EndElementHandler = on_end
    parser.CharacterDataHandler = on_text
    try:
        parser.Parse(image, True)
    except expat.ExpatError as error:
        reason = expat.errors.messages.get(error.code, "broken")
        raise BakingError("svg_malformed", f"The SVG file is broken in line {error.lineno}: {reason}.") from error
    return scan


def _element_end(image: bytes, start: int, at_end_tag: int) -> int:
    """The byte behind an element: behind its only tag, or behind its end tag, which begins at ``at_end_tag``."""
    tag_end = _tag_end(image, start)
    return tag_end if image[tag_end - 2 : tag_end] == b"/>" else image.find(b">", at_end_tag) + 1


def _tag_end(image: bytes, start: int) -> int:
    """The byte behind the start tag at ``start``, where expat has seen one."""
    match = _TAG_END.match(image, start)
    return match.end() if match else start  # none in UTF-16, where nothing is cut


def _name(image: bytes, start: int) -> bytes:
    match = _NAME.match(image, start)
    return match[1] if match else b""
