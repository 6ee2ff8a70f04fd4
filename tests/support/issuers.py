"""What is published of an issuer, and how an issuer or somebody else would change it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from anchors.base import Revoke, SetSuspension
from registry.core.notation import parse_time
from registry.service.auditing import Auditing, AuditReport, NamedChain
from registry.service.auditstate import StateFile
from registry.service.published import FolderMaterial
from registry.standards.proofs.creating import add_proofs
from registry.standards.statuslist import decode_list, encode_list
from registry.wiring.files import write_if_changed
from support.house import House


def address(house: House) -> bytes:
    return house.issuers.look_up("uni").address


def list_file(house: House, folder: Path, purpose: str = "revocation") -> Path:
    return folder / "status" / address(house).hex() / purpose / "0.json"


def document_file(house: House, folder: Path) -> Path:
    [path] = (folder / "documents" / address(house).hex()).iterdir()
    return path


def bend_list(path: Path, change: Callable[[Any], None]) -> None:
    """Without signing it again."""
    credential = json.loads(path.read_bytes())
    change(credential)
    path.write_text(json.dumps(credential))


def sign_again(house: House, path: Path, change: Callable[[Any], None], signer: Any = None) -> None:
    """As the issuer itself could."""
    credential = json.loads(path.read_bytes())
    proofs = credential.pop("proof")
    change(credential)
    created = max(parse_time(proofs[0]["created"]), parse_time(credential["validFrom"]))
    path.write_text(json.dumps(add_proofs(credential, signer or house.rings.signer("uni"), created)))


def flip(entry: int) -> Callable[[Any], None]:
    def change(credential: Any) -> None:
        subject = credential["credentialSubject"]
        bits = bytearray(decode_list(subject["encodedList"]))
        bits[entry >> 3] ^= 0x80 >> (entry & 7)
        subject["encodedList"] = encode_list(bytes(bits))

    return change


def revoke(house: House, index: int) -> None:
    """By the issuer itself, past the registry."""
    chain = house.chain
    chain._send_foreign(address(house), chain.encode(Revoke(address(house), (0,), (1 << index,))))
    house.clock.advance(60)
    house.settle()


def suspend(house: House, index: int, on: bool) -> None:
    chain = house.chain
    nonce = chain.read_issuer(address(house)).nonce
    masks = ((1 << index,), (0,)) if on else ((0,), (1 << index,))
    chain._send_foreign(address(house), chain.encode(SetSuspension(address(house), nonce, (0,), *masks)))
    house.clock.advance(60)
    house.settle()


def bend_issuers(folder: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    listing = json.loads((folder / "issuers.json").read_bytes())
    change(listing["issuers"])
    (folder / "issuers.json").write_text(json.dumps(listing))


def put_document(house: House, folder: Path, change: Callable[[Any], None]) -> None:
    """As its owner could: the listing names the changed document."""
    from registry.standards.did.document import document_hash

    path = document_file(house, folder)
    document = json.loads(path.read_bytes())
    change(document)
    path.unlink()
    hashed = document_hash(document).hex()
    (path.parent / f"{hashed}.json").write_text(json.dumps(document))
    listing = json.loads((folder / "issuers.json").read_bytes())
    [entry] = [item for item in listing["issuers"] if item["issuer"] == "0x" + address(house).hex()]
    entry["document"] = hashed
    (folder / "issuers.json").write_text(json.dumps(listing))


def audit_again(house: House, folder: Path, place: Path) -> AuditReport:
    file = StateFile(place / "state.json", write_if_changed)
    state = file.load(house.chain.chain_id, house.chain.contract)
    report = Auditing([NamedChain("node", house.chain)], [FolderMaterial(folder)], state=state, file=file).run()
    file.save(state)
    return report
