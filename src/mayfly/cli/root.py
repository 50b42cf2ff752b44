"""The root of the command line: all commands, in the order in which a newcomer needs them."""

import typer

from mayfly.cli import deploying, doctor, environment, functions, serving, usage

app = typer.Typer(
    name="mayfly",
    help=(
        "A serverless platform on your own machine: functions and the backend services they live on.\n\n"
        "Start it with [bold]mayfly up[/], point AWS tools at it with [bold]eval $(mayfly env)[/], bring an "
        "application with [bold]mayfly deploy template.yaml[/]."
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

RUN, BUILD, LOOK = "Run the platform", "Applications", "Look inside"
app.command("up", rich_help_panel=RUN)(serving.up)
app.command("down", rich_help_panel=RUN)(serving.down)
app.command("status", rich_help_panel=RUN)(serving.status)
app.command("doctor", rich_help_panel=RUN)(doctor.doctor)
app.command("env", rich_help_panel=RUN)(environment.env)
app.command("deploy", rich_help_panel=BUILD)(deploying.deploy)
app.command("delete", rich_help_panel=BUILD)(deploying.delete)
app.command("invoke", rich_help_panel=BUILD)(functions.invoke)
app.command("logs", rich_help_panel=LOOK)(functions.logs)
app.command("usage", rich_help_panel=LOOK)(usage.usage)
app.command("version", rich_help_panel=LOOK)(serving.version)


def main() -> None:
    """Entry point of the `mayfly` executable."""
    app()
