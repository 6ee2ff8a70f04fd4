"""Running `registry` within the test's process, as a user would: arguments in; exit code, stdout and stderr out."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner

from registry.cli import app

__all__ = ["Answer", "Cli", "document", "run"]


@dataclass(frozen=True)
class Answer:
    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


Cli = Callable[..., Answer]


def document(number: int) -> dict[str, Any]:
    return {
        "@context": [
            "https://www.w3.org/ns/credentials/v2",
            "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",
        ],
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "id": f"urn:example:{number}",
        "name": "Statistics",
        "issuer": {"type": ["Profile"], "name": "Example University"},
        "validFrom": "2024-05-01T00:00:00Z",
        "credentialSubject": {
            "type": ["AchievementSubject"],
            "identifier": [
                {
                    "type": "IdentityObject",
                    "identityHash": f"Learner {number}",
                    "identityType": "name",
                    "hashed": False,
                }
            ],
            "achievement": {
                "id": "https://learning.example.org/achievements/statistics",
                "type": ["Achievement"],
                "name": "Statistics",
                "description": "Counting, and what follows from it.",
                "criteria": {"narrative": "The learner counts."},
            },
        },
    }


def run(*arguments: object, input_text: str | None = None) -> Answer:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=input_text)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answer(result.exit_code, result.stdout, result.stderr)
