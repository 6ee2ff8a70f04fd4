"""Open Badges documents that are right, for tests to break."""

import json
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).parents[2].parent / "shared" / "reference"

_CONTEXTS = [
    "https://www.w3.org/ns/credentials/v2",
    "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",
]
_JWS = "eyJhbGciOiJFZERTQSJ9.eyJpZCI6MX0.c2ln"


def endorsement() -> dict[str, Any]:
    """An EndorsementCredential."""
    return _copy(_ENDORSEMENT)


def profile() -> dict[str, Any]:
    """A Profile with every field."""
    return _copy(_PROFILE)


def badge() -> dict[str, Any]:
    """An AchievementCredential with every class and nearly every field of the data model."""
    return _copy(_BADGE)


def _copy(document: dict[str, Any]) -> dict[str, Any]:
    """Without the parts that the constants below share."""
    copied: dict[str, Any] = json.loads(json.dumps(document))
    return copied


_IMAGE = {"id": "https://badges.example/i.png", "type": "Image", "caption": "A medal"}
_ALIGNMENT = {
    "type": ["Alignment"],
    "targetCode": "S1.2",
    "targetDescription": "Uses statistics.",
    "targetName": "analyse data",
    "targetFramework": "ESCO",
    "targetType": "ext:ESCO",
    "targetUrl": "http://data.europa.eu/esco/skill/2b92a5b2-6758-4ee3-9fb4-b6387a55cc8f",
}
_OTHER = [{"type": "IdentifierEntry", "identifier": "IE-77", "identifierType": "ext:PIC"}]
_ENDORSEMENT: dict[str, Any] = {
    "@context": _CONTEXTS,
    "id": "urn:uuid:2c8c5a4e-6a37-4b36-9b1c-6f2a05a5a9e1",
    "type": ["VerifiableCredential", "EndorsementCredential"],
    "name": "Endorsement",
    "description": "We looked at it.",
    "awardedDate": "2026-01-02T03:04:05Z",
    "credentialSubject": {"id": "did:web:badges.example", "type": ["EndorsementSubject"], "endorsementComment": "Good"},
    "issuer": {"id": "did:web:agency.example", "type": ["Profile"], "name": "Agency"},
    "validFrom": "2026-01-02T03:04:05Z",
    "validUntil": "2031-01-02T03:04:05+02:00",
    "termsOfUse": [{"id": "https://agency.example/terms", "type": "Terms"}],
    "proof": [{"type": "DataIntegrityProof"}],
}
_PROFILE: dict[str, Any] = {
    "id": "did:web:badges.example",
    "type": ["Profile"],
    "name": "Example University",
    "url": "https://badges.example",
    "phone": "+353 1 234",
    "description": "A university.",
    "endorsement": [_ENDORSEMENT],
    "endorsementJwt": [_JWS],
    "image": _IMAGE,
    "email": "registrar@badges.example",
    "address": {
        "type": ["Address"],
        "addressCountry": "Ireland",
        "addressCountryCode": "IE",
        "addressRegion": "Leinster",
        "addressLocality": "Dublin",
        "streetAddress": "1 Main Street",
        "postOfficeBoxNumber": "7",
        "postalCode": "D01",
        "geo": {"type": "GeoCoordinates", "latitude": 53.35, "longitude": -6},
    },
    "otherIdentifier": _OTHER,
    "official": "A. Registrar",
    "parentOrg": {"id": "urn:example:parent", "type": ["Profile"], "name": "Parent"},
    "familyName": "Doe",
    "givenName": "Jo",
    "additionalName": "M.",
    "patronymicName": "P.",
    "honorificPrefix": "Dr",
    "honorificSuffix": "MSc",
    "familyNamePrefix": "van",
    "dateOfBirth": "1990-02-28",
}
_BADGE: dict[str, Any] = {
    "@context": [*_CONTEXTS, "https://badges.example/context.json", {"extra": "https://badges.example/terms#extra"}],
    "id": "https://badges.example/credentials/1",
    "type": ["VerifiableCredential", "OpenBadgeCredential"],
    "name": "Statistics",
    "description": "A course.",
    "image": _IMAGE,
    "awardedDate": "2026-03-01T12:00:00.25Z",
    "credentialSubject": {
        "id": "did:example:learner",
        "type": ["AchievementSubject"],
        "activityStartDate": "2026-01-01T12:00:00Z",
        "activityEndDate": "2026-02-28T12:00:00-01:00",
        "creditsEarned": 2.5,
        "identifier": [
            {
                "type": "IdentityObject",
                "hashed": True,
                "identityHash": "sha256$b5809d8a92f8858436d7e6b87c12ebc0ae1eac4baecc2c0b913aee2c922ef399",
                "identityType": "emailAddress",
                "salt": "Kosher",
            }
        ],
        "image": _IMAGE,
        "licenseNumber": "L-1",
        "narrative": "Did it.",
        "result": [
            {
                "type": ["Result"],
                "achievedLevel": "urn:example:level:1",
                "alignment": [_ALIGNMENT],
                "resultDescription": "urn:example:result:1",
                "status": "Completed",
                "value": "A",
            }
        ],
        "role": "Student",
        "source": {"id": "urn:example:source", "type": ["Profile"]},
        "term": "spring",
        "achievement": {
            "id": "https://badges.example/achievements/statistics",
            "type": ["Achievement"],
            "alignment": [_ALIGNMENT],
            "achievementType": "MicroCredential",
            "creator": {"id": "urn:example:creator", "type": ["Profile"]},
            "creditsAvailable": 5,
            "criteria": {"id": "https://badges.example/criteria", "narrative": "The learner analyses data."},
            "description": "Statistics for everybody.",
            "endorsement": [_ENDORSEMENT],
            "endorsementJwt": [_JWS],
            "fieldOfStudy": "Mathematics",
            "humanCode": "ST1",
            "image": _IMAGE,
            "inLanguage": "en-IE",
            "name": "Statistics",
            "otherIdentifier": _OTHER,
            "related": [
                {"id": "urn:example:other", "type": ["Related"], "inLanguage": "sr-Latn-RS", "version": "1"},
            ],
            "resultDescription": [
                {
                    "id": "urn:example:result:1",
                    "type": ["ResultDescription"],
                    "alignment": [_ALIGNMENT],
                    "allowedValue": ["A", "B"],
                    "name": "Grade",
                    "requiredLevel": "urn:example:level:1",
                    "requiredValue": "B",
                    "resultType": "LetterGrade",
                    "rubricCriterionLevel": [
                        {
                            "id": "urn:example:level:1",
                            "type": ["RubricCriterionLevel"],
                            "alignment": [_ALIGNMENT],
                            "description": "Well",
                            "level": "1",
                            "name": "Good",
                            "points": "3",
                        }
                    ],
                    "valueMax": "A",
                    "valueMin": "B",
                }
            ],
            "specialization": "Applied",
            "tag": ["data"],
            "version": "2",
        },
    },
    "endorsement": [_ENDORSEMENT],
    "endorsementJwt": [_JWS],
    "evidence": [
        {
            "id": "https://badges.example/evidence/1",
            "type": ["Evidence"],
            "narrative": "A report.",
            "name": "Report",
            "description": "Ten pages",
            "genre": "Report",
            "audience": "Peers",
        }
    ],
    "issuer": _PROFILE,
    "validFrom": "2026-03-01T12:00:00Z",
    "validUntil": "2036-03-01T12:00:00Z",
    "proof": [
        {
            "type": "DataIntegrityProof",
            "created": "2026-03-01T12:00:00Z",
            "cryptosuite": "eddsa-rdfc-2022",
            "challenge": "c",
            "domain": "d",
            "nonce": "n",
            "proofPurpose": "assertionMethod",
            "proofValue": "z1",
            "verificationMethod": "did:web:badges.example#key-1",
        }
    ],
    "credentialSchema": [{"id": "https://badges.example/schema.json", "type": "1EdTechJsonSchemaValidator2019"}],
    "credentialStatus": {
        "id": "https://badges.example/status/revocation/0#7",
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": "7",
        "statusListCredential": "https://badges.example/status/revocation/0",
    },
    "refreshService": {"id": "https://badges.example/refresh", "type": "Refresh"},
    "termsOfUse": [{"type": "Terms"}],
}
