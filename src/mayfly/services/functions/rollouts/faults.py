"""The errors of rollouts in CodeDeploy's words, where they are known. Every function here makes one."""

from mayfly.services.contract import ServiceError


def no_application(name: str) -> ServiceError:
    return ServiceError("ApplicationDoesNotExistException", f"No application found for name: {name}")


def application_exists(name: str) -> ServiceError:
    return ServiceError("ApplicationAlreadyExistsException", f"Application with name {name} already exists")


def no_group(name: str) -> ServiceError:
    return ServiceError("DeploymentGroupDoesNotExistException", f"No Deployment Group found for name: {name}")


def group_required() -> ServiceError:
    return ServiceError("DeploymentGroupNameRequiredException", "Deployment Group name is missing")


def group_exists(name: str) -> ServiceError:
    return ServiceError("DeploymentGroupAlreadyExistsException", f"Deployment Group name already exists: {name}")


def no_config(name: str) -> ServiceError:
    return ServiceError("DeploymentConfigDoesNotExistException", f"No Deployment Configuration found for name: {name}")


def config_exists(name: str) -> ServiceError:
    return ServiceError("DeploymentConfigAlreadyExistsException", f"Deployment Configuration already exists: {name}")


def config_in_use(name: str) -> ServiceError:
    return ServiceError("DeploymentConfigInUseException", f"The Deployment Configuration {name} is in use")


def reserved_config(name: str) -> ServiceError:
    return ServiceError("InvalidDeploymentConfigNameException", f"{name} is a name that CodeDeploy keeps to itself")


def invalid_platform() -> ServiceError:
    return ServiceError(
        "InvalidComputePlatformException",
        "Mayfly deploys the compute platform Lambda; it has neither servers nor ECS.",
    )


def invalid_traffic(message: str) -> ServiceError:
    return ServiceError("InvalidTrafficRoutingConfigurationException", message)


def invalid_input(message: str) -> ServiceError:
    return ServiceError("InvalidInputException", message)


def revision_required() -> ServiceError:
    return ServiceError("RevisionRequiredException", "Revision is required")


def invalid_revision(message: str) -> ServiceError:
    return ServiceError("InvalidRevisionException", message)


def no_deployment(deployment: str) -> ServiceError:
    return ServiceError("DeploymentDoesNotExistException", f"The deployment {deployment} could not be found")


def busy(group: str, deployment: str) -> ServiceError:
    return ServiceError(
        "DeploymentLimitExceededException",
        f"The Deployment Group '{group}' already has an active Deployment '{deployment}'",
    )


def completed(deployment: str) -> ServiceError:
    return ServiceError(
        "DeploymentAlreadyCompletedException", f"The deployment {deployment} has already reached a final state"
    )


def no_hook(execution: str) -> ServiceError:
    return ServiceError(
        "InvalidLifecycleEventHookExecutionIdException",
        f"The lifecycle event hook execution {execution} is not of this deployment",
    )


def invalid_hook_status(status: str) -> ServiceError:
    return ServiceError(
        "InvalidLifecycleEventHookExecutionStatusException",
        f"A lifecycle event hook reports Succeeded or Failed, not {status}",
    )


def hook_completed() -> ServiceError:
    return ServiceError(
        "LifecycleEventAlreadyCompletedException", "The lifecycle event hook execution has already completed"
    )


def no_target(target: str) -> ServiceError:
    return ServiceError("DeploymentTargetDoesNotExistException", f"The deployment target {target} could not be found")


def invalid_token() -> ServiceError:
    return ServiceError("InvalidNextTokenException", "The next token is not valid")


def invalid_triggers(message: str) -> ServiceError:
    return ServiceError("InvalidTriggerConfigException", message)


def invalid_alarms(message: str) -> ServiceError:
    return ServiceError("InvalidAlarmConfigException", message)


def invalid_style() -> ServiceError:
    return ServiceError(
        "InvalidDeploymentStyleException",
        "For the compute platform Lambda, deploymentType is BLUE_GREEN and deploymentOption WITH_TRAFFIC_CONTROL",
    )
