"""DIDs: did:key and did:web, their documents, and who may be asked for them (docs/spec/did.md)."""
