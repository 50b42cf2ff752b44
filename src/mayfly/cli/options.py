"""Options that many commands share."""

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    Path, typer.Option("--data", envvar="MAYFLY_DATA", help="Data directory of the platform.", show_default=True)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
StackNameOption = Annotated[
    str | None, typer.Option("--stack-name", "-n", help="Name of the stack; by default that of the folder.")
]
ParameterOption = Annotated[
    list[str] | None, typer.Option("--parameter", "-P", metavar="KEY=VALUE", help="May be given several times.")
]
OverridesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter-overrides",
        metavar="KEY=VALUE ...",
        help="The same as SAM has it: several in one word, or ParameterKey=KEY,ParameterValue=VALUE.",
    ),
]
TagsOption = Annotated[
    list[str] | None,
    typer.Option("--tags", metavar="KEY=VALUE ...", help="Tags of the stack, beside those that it has."),
]
ConfigOption = Annotated[
    str | None,
    typer.Option("--config-env", help="The environment of samconfig.toml that is meant; by default, default."),
]
ConfigFileOption = Annotated[
    Path | None,
    typer.Option(
        "--config-file",
        help="Another file than the samconfig.toml, or samconfig.yaml, beside the template; its path from there.",
    ),
]
InertOption = Annotated[
    list[str] | None,
    typer.Option(
        "--accept-inert",
        metavar="TYPE|SERVICE|all",
        help="A type that Mayfly has not, such as AWS::EC2::VPC, or a service, such as AWS::EC2, or all that only "
        "means something inside AWS: nothing is made for it. May be given several times.",
    ),
]

TEMPLATE = "template.yaml"  # unless another one is named
OTHER_NAMES = ("template.yml", "template.json")
TemplateArgument = Annotated[
    Path | None,
    typer.Argument(
        help="SAM or CloudFormation template, YAML or JSON; by default what samconfig.toml names, or template.yaml.",
        show_default=False,
    ),
]
DEFAULT_TEMPLATE = Path(TEMPLATE)
