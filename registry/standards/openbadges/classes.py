"""The classes of Open Badges 3.0 as a table: which fields each has, of which kind, and which it must have.

Source: Open Badges Specification 3.0, appendix B (data model), and the JSON Schemas published with it; in verdict the
table equals the schemas (tests/standards/openbadges). A field that is not in the table may hold anything, except in the
three classes that the schemas close.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from registry.standards.openbadges import datamodel
from registry.standards.openbadges import values as v
from registry.standards.openbadges.faults import Faults, Path, kind_of

__all__ = ["CLASSES", "Class"]


@dataclass(frozen=True, slots=True)
class Class:
    """``further`` looks at how fields go together; it runs on strict checks only, on objects of any content."""

    name: str
    fields: Mapping[str, v.Kind]
    required: tuple[str, ...] = ()
    closed: bool = False
    further: Callable[[dict[str, object], Path, Faults], None] | None = None

    def check(self, value: object, path: Path, faults: Faults) -> None:
        if type(value) is not dict:
            article = "An" if self.name[0] in "AEIO" else "A"
            faults.add(path, "type", f"{article} {self.name} object belongs here, not {kind_of(value)}.")
            return
        for name in self.required:
            if name not in value:
                expected = self.fields[name].expected.rstrip(",")
                message = f'{self.name} needs "{name}": {expected[0].lower()}{expected[1:]}. Add it.'
                faults.add((path, name), "missing", message)
        for name, inner in value.items():
            kind = self.fields.get(name)
            if kind is not None:
                kind.check(inner, (path, name), faults)
            elif self.closed:
                message = f"{self.name} has no field of this name; remove it. It has: {', '.join(self.fields)}."
                faults.add((path, name), "not_allowed", message)
        if self.further is not None and faults.strict:
            self.further(value, path, faults)


def _object(name: str) -> v.Kind:
    """An object of the named class; looked up when used, because classes hold each other."""

    def check(value: object, path: Path, faults: Faults) -> None:
        CLASSES[name].check(value, path, faults)

    return v.Kind(f"An object of the class {name}", check)


def _objects(name: str) -> v.Kind:
    return v.array(_object(name))


_IDENTIFIER_TYPE = v.extensible(
    "name", "sourcedId", "systemId", "productId", "userName", "accountId", "emailAddress", "nationalIdentityNumber",
    "isbn", "issn", "lisSourcedId", "oneRosterSourcedId", "sisSourcedId", "ltiContextId", "ltiDeploymentId",
    "ltiToolId", "ltiPlatformId", "ltiUserId", "identifier",
)  # fmt: skip
_ACHIEVEMENT_TYPE = v.extensible(
    "Achievement", "ApprenticeshipCertificate", "Assessment", "Assignment", "AssociateDegree", "Award", "Badge",
    "BachelorDegree", "Certificate", "CertificateOfCompletion", "Certification", "CommunityService", "Competency",
    "Course", "CoCurricular", "Degree", "Diploma", "DoctoralDegree", "Fieldwork", "GeneralEducationDevelopment",
    "JourneymanCertificate", "LearningProgram", "License", "Membership", "ProfessionalDoctorate",
    "QualityAssuranceCredential", "MasterCertificate", "MasterDegree", "MicroCredential", "ResearchDoctorate",
    "SecondarySchoolDiploma",
)  # fmt: skip
_ALIGNMENT_TARGET_TYPE = v.extensible(
    "ceasn:Competency", "ceterms:Credential", "CFItem", "CFRubric", "CFRubricCriterion", "CFRubricCriterionLevel",
    "CTDL",
)  # fmt: skip
_RESULT_TYPE = v.extensible(
    "GradePointAverage", "LetterGrade", "Percent", "PerformanceLevel", "PredictedScore", "RawScore", "Result",
    "RubricCriterion", "RubricCriterionLevel", "RubricScore", "ScaledScore", "Status",
)  # fmt: skip
_RESULT_STATUS = v.one_of("Completed", "Enrolled", "Failed", "InProgress", "OnHold", "Provisional", "Withdrew")

_VERIFIABLE = ("VerifiableCredential",)
_ENDORSEMENTS = {"endorsement": _objects("EndorsementCredential"), "endorsementJwt": v.array(v.COMPACT_JWS)}

# What every credential has.
_CREDENTIAL = {
    "@context": v.contexts,
    "id": v.URI,
    "name": v.TEXT,
    "description": v.TEXT,
    "awardedDate": v.DATE_TIME,
    "issuer": v.either_text_or(_object("Profile"), v.URI),
    "validFrom": v.DATE_TIME,
    "validUntil": v.DATE_TIME,
    "proof": _objects("Proof"),
    "credentialSchema": _objects("CredentialSchema"),
    "credentialStatus": _object("CredentialStatus"),
    "refreshService": _object("RefreshService"),
    "termsOfUse": _objects("TermsOfUse"),
}

CLASSES: dict[str, Class] = {
    item.name: item
    for item in (
        Class(
            "AchievementCredential",
            {
                **_CREDENTIAL,
                **_ENDORSEMENTS,
                "type": v.types(_VERIFIABLE, ("AchievementCredential", "OpenBadgeCredential")),
                "image": _object("Image"),
                "credentialSubject": _object("AchievementSubject"),
                "evidence": _objects("Evidence"),
            },
            ("@context", "id", "type", "credentialSubject", "issuer", "validFrom"),
            further=datamodel.check_credential,
        ),
        Class(
            "EndorsementCredential",
            {
                **_CREDENTIAL,
                "type": v.types(_VERIFIABLE, ("EndorsementCredential",)),
                "credentialSubject": _object("EndorsementSubject"),
            },
            ("@context", "type", "id", "name", "credentialSubject", "issuer", "validFrom"),
            further=datamodel.check_credential,
        ),
        Class(
            "AchievementSubject",
            {
                "id": v.URI,
                "type": v.types(("AchievementSubject",)),
                "activityEndDate": v.DATE_TIME,
                "activityStartDate": v.DATE_TIME,
                "creditsEarned": v.NUMBER,
                "achievement": _object("Achievement"),
                "identifier": _objects("IdentityObject"),
                "image": _object("Image"),
                "licenseNumber": v.TEXT,
                "narrative": v.TEXT,
                "result": _objects("Result"),
                "role": v.TEXT,
                "source": _object("Profile"),
                "term": v.TEXT,
            },
            ("type", "achievement"),
            further=datamodel.check_subject,
        ),
        Class(
            "EndorsementSubject",
            {"id": v.URI, "type": v.types(("EndorsementSubject",)), "endorsementComment": v.TEXT},
            ("id", "type"),
        ),
        Class(
            "Achievement",
            {
                **_ENDORSEMENTS,
                "id": v.URI,
                "type": v.types(("Achievement",)),
                "alignment": _objects("Alignment"),
                "achievementType": _ACHIEVEMENT_TYPE,
                "creator": _object("Profile"),
                "creditsAvailable": v.NUMBER,
                "criteria": _object("Criteria"),
                "description": v.TEXT,
                "fieldOfStudy": v.TEXT,
                "humanCode": v.TEXT,
                "image": _object("Image"),
                "inLanguage": v.LANGUAGE,
                "name": v.TEXT,
                "otherIdentifier": _objects("IdentifierEntry"),
                "related": _objects("Related"),
                "resultDescription": _objects("ResultDescription"),
                "specialization": v.TEXT,
                "tag": v.array(v.TEXT),
                "version": v.TEXT,
            },
            ("id", "type", "criteria", "description", "name"),
        ),
        Class("Criteria", {"id": v.URI, "narrative": v.TEXT}),
        Class(
            "Alignment",
            {
                "type": v.types(("Alignment",)),
                "targetCode": v.TEXT,
                "targetDescription": v.TEXT,
                "targetName": v.TEXT,
                "targetFramework": v.TEXT,
                "targetType": _ALIGNMENT_TARGET_TYPE,
                "targetUrl": v.URI,
            },
            ("type", "targetName", "targetUrl"),
        ),
        Class(
            "IdentityObject",
            {
                "type": v.constant("IdentityObject"),
                "hashed": v.BOOLEAN,
                "identityHash": v.TEXT,
                "identityType": _IDENTIFIER_TYPE,
                "salt": v.TEXT,
            },
            ("type", "hashed", "identityHash", "identityType"),
            closed=True,
            further=datamodel.check_identity,
        ),
        Class(
            "IdentifierEntry",
            {"type": v.constant("IdentifierEntry"), "identifier": v.TEXT, "identifierType": _IDENTIFIER_TYPE},
            ("type", "identifier", "identifierType"),
            closed=True,
        ),
        Class(
            "Evidence",
            {
                "id": v.URI,
                "type": v.types(("Evidence",)),
                "narrative": v.TEXT,
                "name": v.TEXT,
                "description": v.TEXT,
                "genre": v.TEXT,
                "audience": v.TEXT,
            },
            ("type",),
        ),
        Class("Image", {"id": v.URI, "type": v.constant("Image"), "caption": v.TEXT}, ("id", "type"), closed=True),
        Class(
            "Result",
            {
                "type": v.types(("Result",)),
                "achievedLevel": v.URI,
                "alignment": _objects("Alignment"),
                "resultDescription": v.URI,
                "status": _RESULT_STATUS,
                "value": v.TEXT,
            },
            ("type",),
        ),
        Class(
            "ResultDescription",
            {
                "id": v.URI,
                "type": v.types(("ResultDescription",)),
                "alignment": _objects("Alignment"),
                "allowedValue": v.array(v.TEXT),
                "name": v.TEXT,
                "requiredLevel": v.URI,
                "requiredValue": v.TEXT,
                "resultType": _RESULT_TYPE,
                "rubricCriterionLevel": _objects("RubricCriterionLevel"),
                "valueMax": v.TEXT,
                "valueMin": v.TEXT,
            },
            ("id", "type", "name", "resultType"),
        ),
        Class(
            "RubricCriterionLevel",
            {
                "id": v.URI,
                "type": v.types(("RubricCriterionLevel",)),
                "alignment": _objects("Alignment"),
                "description": v.TEXT,
                "level": v.TEXT,
                "name": v.TEXT,
                "points": v.TEXT,
            },
            ("id", "type", "name"),
        ),
        Class(
            "Related",
            {"id": v.URI, "type": v.types(("Related",)), "inLanguage": v.LANGUAGE, "version": v.TEXT},
            ("id", "type"),
        ),
        Class(
            "Profile",
            {
                **_ENDORSEMENTS,
                "id": v.URI,
                "type": v.types(("Profile",)),
                "name": v.TEXT,
                "url": v.URI,
                "phone": v.TEXT,
                "description": v.TEXT,
                "image": _object("Image"),
                "email": v.TEXT,
                "address": _object("Address"),
                "otherIdentifier": _objects("IdentifierEntry"),
                "official": v.TEXT,
                "parentOrg": _object("Profile"),
                "familyName": v.TEXT,
                "givenName": v.TEXT,
                "additionalName": v.TEXT,
                "patronymicName": v.TEXT,
                "honorificPrefix": v.TEXT,
                "honorificSuffix": v.TEXT,
                "familyNamePrefix": v.TEXT,
                "dateOfBirth": v.DATE,
            },
            ("id", "type"),
        ),
        Class(
            "Address",
            {
                "type": v.types(("Address",)),
                "addressCountry": v.TEXT,
                "addressCountryCode": v.COUNTRY_CODE,
                "addressRegion": v.TEXT,
                "addressLocality": v.TEXT,
                "streetAddress": v.TEXT,
                "postOfficeBoxNumber": v.TEXT,
                "postalCode": v.TEXT,
                "geo": _object("GeoCoordinates"),
            },
            ("type",),
        ),
        Class(
            "GeoCoordinates",
            {"type": v.constant("GeoCoordinates"), "latitude": v.NUMBER, "longitude": v.NUMBER},
            ("type", "latitude", "longitude"),
        ),
        Class(
            "Proof",
            {
                "type": v.TEXT,
                "created": v.DATE_TIME,
                "cryptosuite": v.TEXT,
                "challenge": v.TEXT,
                "domain": v.TEXT,
                "nonce": v.TEXT,
                "proofPurpose": v.TEXT,
                "proofValue": v.TEXT,
                "verificationMethod": v.URI,
            },
            ("type",),
        ),
        Class("CredentialStatus", {"id": v.URI, "type": v.TEXT}, ("id", "type"), further=datamodel.check_status_entry),
        Class("CredentialSchema", {"id": v.URI, "type": v.TEXT}, ("id", "type")),
        Class("RefreshService", {"id": v.URI, "type": v.TEXT}, ("id", "type")),
        Class("TermsOfUse", {"id": v.URI, "type": v.TEXT}, ("type",)),
    )
}
