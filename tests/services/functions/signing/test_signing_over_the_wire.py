"""Code signing as boto3 sees it."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.functions.stage import zipped
from tests.services.functions.test_functions_over_the_wire import Deploy, deploy, functions, role

__all__ = ["deploy", "functions", "role"]


def test_a_configuration_shuts_a_function_against_new_code_until_it_is_taken_away(
    functions: Any, deploy: Deploy
) -> None:
    name = deploy()
    arn = functions.create_code_signing_config(
        AllowedPublishers={
            "SigningProfileVersionArns": ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/1"]
        },
        CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"},
    )["CodeSigningConfig"]["CodeSigningConfigArn"]
    functions.put_function_code_signing_config(FunctionName=name, CodeSigningConfigArn=arn)
    listed = functions.list_functions_by_code_signing_config(CodeSigningConfigArn=arn)["FunctionArns"]
    assert [one.rpartition(":")[2] for one in listed] == [name]
    with pytest.raises(functions.exceptions.CodeVerificationFailedException):
        functions.update_function_code(FunctionName=name, ZipFile=zipped({"app.py": "new"}))
    functions.delete_function_code_signing_config(FunctionName=name)
    assert "CodeSigningConfigArn" not in functions.get_function_code_signing_config(FunctionName=name)
    functions.update_function_code(FunctionName=name, ZipFile=zipped({"app.py": "new"}))
    functions.delete_code_signing_config(CodeSigningConfigArn=arn)
    with pytest.raises(ClientError, match="can not be found"):
        functions.get_code_signing_config(CodeSigningConfigArn=arn)
