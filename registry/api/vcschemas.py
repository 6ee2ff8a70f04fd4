"""What goes over the wire of the VC API; requests are as strict as elsewhere, but for options that others invent."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from registry.api.schemas import Fault

__all__ = [
    "VC_ANSWERS", "VC_BODIES", "VcIssueIn", "VcIssued", "VcNotVerified", "VcStatusIn", "VcStatusOut", "VcVerified",
    "VcVerifyIn", "VcVerifyOptions", "VpVerifyIn",
]  # fmt: skip


class _In(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", alias_generator=to_camel, hide_input_in_errors=True)


class _Out(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


# --- requests ---------------------------------------------------------------------------------------------------------


class VcIssueOptions(BaseModel):
    """Members that are not known here are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)

    cryptosuite: Literal["eddsa-rdfc-2022", "eddsa-jcs-2022"] | None = Field(
        None, description="a proof of this suite only; without it, one of each"
    )


class VcIssueIn(_In):
    credential: dict[str, Any] = Field(description="an unsigned W3C Verifiable Credential 2.0 of any kind")
    options: VcIssueOptions | None = None


class VcVerifyOptions(BaseModel):
    """Members that are not known here are named in a warning."""

    model_config = ConfigDict(strict=True, extra="allow", alias_generator=to_camel, hide_input_in_errors=True)

    checks: list[Annotated[str, Field(max_length=100)]] | None = Field(
        None, max_length=20, description="proof, validityPeriod, credentialStatus; without any, all"
    )
    expected_proof_purpose: str | None = None
    challenge: str | None = None
    domain: str | list[str] | None = None


class VcVerifyIn(_In):
    verifiable_credential: dict[str, Any] | str = Field(description="a credential, also enveloped, or a VC-JWT")
    options: VcVerifyOptions | None = None


class VpVerifyIn(_In):
    verifiable_presentation: dict[str, Any]
    options: VcVerifyOptions | None = None


class VcStatusEntry(BaseModel):
    """The lists and the index need not be named; if they are, they have to be the credential's own."""

    model_config = ConfigDict(strict=True, extra="ignore", alias_generator=to_camel, hide_input_in_errors=True)

    type: Literal["BitstringStatusListEntry"]
    status_purpose: Literal["revocation", "suspension"]
    status_list_index: str | None = None
    status_list_credential: str | None = None


class VcStatusIn(_In):
    credential_id: str = Field(min_length=1, max_length=2_048, description='the credential\'s own "id"')
    credential_status: VcStatusEntry
    status: bool = Field(True, description="false: reinstated, after a suspension")
    index_allocator: str | None = Field(None, max_length=2_048, description="ignored: the registry gives the indexes")


# --- answers ----------------------------------------------------------------------------------------------------------


class VcIssued(_Out):
    verifiable_credential: dict[str, Any]


class VcStatusOut(_Out):
    """What became of the request: see StatusOut."""

    credential_id: str
    action: Literal["revoke", "suspend", "reinstate"]
    state: Literal["WITHDRAWN", "WAITING", "SENT", "ON_CHAIN", "FINAL", "SUPERSEDED"]


class VcFinding(_Out):
    """RFC 9457; ``type`` is of the specification that is not kept, ``pointer`` says where in the request."""

    type: str
    title: str
    detail: str
    code: str
    pointer: str


class VcVerified(_Out):
    verified: Literal[True]
    checks: list[str]
    warnings: list[VcFinding]
    errors: list[VcFinding] = Field(max_length=0)


class VcNotVerified(_Out):
    """A problem. Where the request itself could not be read, there is no ``verified``."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    pointer: str | None = None
    request_id: str | None = None
    verified: Literal[False] | None = None
    checks: list[str] | None = None
    warnings: list[VcFinding] | None = None
    errors: list[VcFinding | Fault] | None = None


# For the OpenAPI document.
VC_BODIES: tuple[type[BaseModel], ...] = (VcIssueIn, VcVerifyIn, VpVerifyIn, VcStatusIn)
VC_ANSWERS: tuple[type[BaseModel], ...] = (VcNotVerified,)
