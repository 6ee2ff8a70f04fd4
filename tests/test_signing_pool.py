"""Signing in several processes gives what signing in one gives, and survives its processes."""

import os
import signal
from pathlib import Path

import pytest

from registry.core.canonical import canonicalize
from registry.core.errors import InputError
from registry.settings import Settings
from registry.standards.proofs.creating import PROOF_SET, add_proofs
from registry.wiring.keys import SigningKeyFiles
from registry.wiring.signing_pool import SigningPool
from support.cli import document

DID = "did:web:example.edu"
NOW = 1_800_000_000


def test_many_processes_sign_as_one_does(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, keystore_password="password", signing_processes=2)
    keys = SigningKeyFiles(settings)
    keys.create("uni", DID, NOW)
    documents = [{**document(number), "issuer": DID} for number in range(7)]
    pool = SigningPool(settings, worth=6)
    try:
        assert pool.sign("uni", documents[:5], NOW, PROOF_SET, False) is None  # not worth starting
        expected = [canonicalize(add_proofs(each, keys.signer("uni"), NOW)) for each in documents]
        assert pool.sign("uni", documents, NOW, PROOF_SET, False) == expected
        with pytest.raises(InputError, match="shoeSize"):
            pool.sign("uni", [*documents, {**documents[0], "shoeSize": 43}], NOW, PROOF_SET, False)
        keys.rotate("uni", NOW + 10, overlap_seconds=100)
        assert b"#key-2" in (pool.sign("uni", documents, NOW + 10, PROOF_SET, False) or [b""])[0]
        assert pool._pool is not None
        for process in list(pool._pool._processes.values()):
            os.kill(process.pid or 0, signal.SIGKILL)
        assert pool.sign("uni", documents, NOW, PROOF_SET, False) is None  # and it goes on in this process
        assert pool.sign("uni", documents, NOW, PROOF_SET, False) is None
    finally:
        pool.close()
