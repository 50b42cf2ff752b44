"""What the command line makes of texts that are not its own."""

import pytest
from rich.table import Table

from mayfly.cli import output

ARN = "arn:aws:secretsmanager:us-east-1:000000000000:secret:shop/[prod]/db-E4CXDB"


def test_names_between_colons_are_no_emojis(capsys: pytest.CaptureFixture[str]) -> None:
    output.console.print(output.escape(ARN))
    table = Table("Name")
    table.add_row(output.escape(ARN))
    output.print_table(table)
    output.complaints.print(output.escape(ARN))
    printed = capsys.readouterr()
    assert printed.out.count(ARN) == 2
    assert ARN in printed.err


def test_a_table_for_a_file_is_whole_and_ends_with_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("Name", "What", box=None)
    table.add_row("n" * 300, "short")
    table.add_row("other", "")
    output.print_table(table)
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["Name", "What"]
    assert [row.split() for row in rows] == [["n" * 300, "short"], ["other"]]
    assert all(line == line.rstrip() for line in (head, *rows))
