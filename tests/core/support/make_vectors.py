"""Writes tests/vectors from core_cases; with --check, compares instead."""

import sys
from pathlib import Path

from core_cases import all_vectors

FOLDER = Path(__file__).parents[2] / "vectors"
KINDS = ("verdict", "refused", "proof")


def differences() -> list[str]:
    """What is missing, stale or left over on disk."""
    wanted = all_vectors()
    present = {str(path.relative_to(FOLDER)): path.read_bytes() for kind in KINDS for path in (FOLDER / kind).glob("*")}
    return sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))


def main() -> int:
    if "--check" in sys.argv[1:]:
        for name in differences():
            print(f"tests/vectors/{name} is not what scripts/make_vectors writes")
        return 1 if differences() else 0
    for kind in KINDS:
        (FOLDER / kind).mkdir(parents=True, exist_ok=True)
        for path in (FOLDER / kind).glob("*"):
            path.unlink()
    for name, content in all_vectors().items():
        (FOLDER / name).write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
