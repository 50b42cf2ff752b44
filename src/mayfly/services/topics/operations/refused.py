"""Operations that need what only AWS has: mobile operators, and the push services of makers of telephones.

Each says so in an error; lists of what cannot exist are empty, so that tools that look at everything go on.
"""

from typing import Any

from mayfly.services.contract import RequestContext, ServiceError, operation

_SMS = "Mayfly sends no SMS: that needs a contract with mobile operators."
_PUSH = "Mayfly sends no push notifications to mobile devices: that needs the services of their makers."


def _refused(message: str) -> ServiceError:
    return ServiceError("InvalidParameterException", f"Invalid parameter: {message}")


class SmsOperations:
    """SMS."""

    @operation("CheckIfPhoneNumberIsOptedOut")
    async def check_opted_out(self, context: RequestContext, request: Any) -> dict[str, Any]:
        raise _refused(_SMS)

    @operation("OptInPhoneNumber")
    async def opt_in(self, context: RequestContext, request: Any) -> dict[str, Any]:
        raise _refused(_SMS)

    @operation("SetSMSAttributes")
    async def set_attributes(self, context: RequestContext, request: Any) -> dict[str, Any]:
        raise _refused(_SMS)

    @operation("CreateSMSSandboxPhoneNumber")
    async def create_number(self, context: RequestContext, request: Any) -> dict[str, Any]:
        raise _refused(_SMS)

    @operation("DeleteSMSSandboxPhoneNumber")
    async def delete_number(self, context: RequestContext, request: Any) -> dict[str, Any]:
        raise _refused(_SMS)

    @operation("VerifySMSSandboxPhoneNumber")
    async def verify_number(self, context: RequestContext, request: Any) -> dict[str, Any]:
        raise _refused(_SMS)

    @operation("GetSMSSandboxAccountStatus")
    async def status(self, context: RequestContext, request: Any) -> dict[str, Any]:
        raise _refused(_SMS)

    @operation("GetSMSAttributes")
    async def get_attributes(self, context: RequestContext, request: Any) -> dict[str, Any]:
        """There are none."""
        return {"attributes": {}}

    @operation("ListPhoneNumbersOptedOut")
    async def list_opted_out(self, context: RequestContext, request: Any) -> dict[str, Any]:
        """There are none."""
        return {"phoneNumbers": []}

    @operation("ListSMSSandboxPhoneNumbers")
    async def list_numbers(self, context: RequestContext, request: Any) -> dict[str, Any]:
        """There are none."""
        return {"PhoneNumbers": []}

    @operation("ListOriginationNumbers")
    async def list_origins(self, context: RequestContext, request: Any) -> dict[str, Any]:
        """There are none."""
        return {"PhoneNumbers": []}


class PushOperations:
    """Push notifications."""

    @operation("CreatePlatformApplication")
    async def create_application(self, context: RequestContext, request: Any) -> dict[str, Any]:
        raise _refused(_PUSH)

    @operation("DeletePlatformApplication")
    async def delete_application(self, context: RequestContext, request: Any) -> dict[str, Any]:
        raise _refused(_PUSH)

    @operation("GetPlatformApplicationAttributes")
    async def get_application(self, context: RequestContext, request: Any) -> dict[str, Any]:
        raise _refused(_PUSH)

    @operation("SetPlatformApplicationAttributes")
    async def set_application(self, context: RequestContext, request: Any) -> dict[str, Any]:
        raise _refused(_PUSH)

    @operation("CreatePlatformEndpoint")
    async def create_endpoint(self, context: RequestContext, request: Any) -> dict[str, Any]:
        raise _refused(_PUSH)

    @operation("DeleteEndpoint")
    async def delete_endpoint(self, context: RequestContext, request: Any) -> dict[str, Any]:
        raise _refused(_PUSH)

    @operation("GetEndpointAttributes")
    async def get_endpoint(self, context: RequestContext, request: Any) -> dict[str, Any]:
        raise _refused(_PUSH)

    @operation("SetEndpointAttributes")
    async def set_endpoint(self, context: RequestContext, request: Any) -> dict[str, Any]:
        raise _refused(_PUSH)

    @operation("ListEndpointsByPlatformApplication")
    async def list_endpoints(self, context: RequestContext, request: Any) -> dict[str, Any]:
        raise _refused(_PUSH)

    @operation("ListPlatformApplications")
    async def list_applications(self, context: RequestContext, request: Any) -> dict[str, Any]:
        """There are none."""
        return {"PlatformApplications": []}
