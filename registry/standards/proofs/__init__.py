"""Proofs on credentials: Data Integrity (docs/spec/signatures.md) and VC-JWT, made and verified without a network."""
