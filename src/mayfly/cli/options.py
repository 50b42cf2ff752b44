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

TEMPLATE = "template.yaml"  # unless another one is named
TemplateArgument = Annotated[Path, typer.Argument(help="SAM or CloudFormation template, YAML or JSON.")]
DEFAULT_TEMPLATE = Path(TEMPLATE)
