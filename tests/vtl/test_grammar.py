"""What is a template and what is not: asked once, when it is put, so nothing may be left for when it runs."""

import re
from contextlib import suppress

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mayfly.vtl.errors import TemplateError, TemplateRunError, TemplateSyntaxError
from mayfly.vtl.template import Scope, compile_template, context_of

PIECES = st.sampled_from(
    [
        *(
            "#set(",
            "#if(",
            "#elseif(",
            "#else",
            "#end",
            "#foreach(",
            "#macro(",
            "#define(",
            "#stop",
            "#break",
            "#literal()",
        ),
        *("#{else}", "#{end}", "#@m(", "#m(", "##", "#*", "*#", "#[[", "]]#", "#", "\\", "\n", " "),
        *("$a", "$!{a.b}", "${a", "}", "$", "$a.b(", "$a[", "]", "[", "(", ")", "{", ":", ",", "..", "'", '"'),
        *("=", "==", "!", "&&", "+", "-", "1", "2.5", ".", "true", "in", "not", "x", "m", "é", "\0"),
    ]
)
SIGNS = ["#", "$", "$5", "#1", "#-", "${", "$.", "#{", "$[", "$ ", "# "]
TEXTS = st.text(alphabet=st.characters(exclude_characters="$#\\", exclude_categories=["Cs"]), max_size=12)


def place(text: str) -> tuple[int, int] | None:
    """Where a text is no template; None: it is one, which has run, whatever became of it."""
    try:
        template = compile_template(text)
    except TemplateSyntaxError as error:
        return error.line, error.column
    with suppress(TemplateRunError):  # of what it does, not of how it is written
        template.render(Scope("{}", context=context_of({})))
    return None


@settings(max_examples=600)
@given(st.lists(PIECES, max_size=25).map("".join))
def test_whatever_is_read_is_refused_at_once_or_runs_without_ever_being_read_again(text: str) -> None:
    where = place(text)
    lines = text.split("\n")
    assert where is None or (1 <= where[0] <= len(lines) and 1 <= where[1] <= len(lines[where[0] - 1]) + 1)


@given(st.lists(st.one_of(TEXTS, st.sampled_from(SIGNS)), max_size=12).map(" ".join))
def test_lone_signs_are_text(text: str) -> None:
    assume(not re.search(r"#[#*]|#\[\[|[$#]!?\{?[A-Za-z_@]", text))
    assert compile_template(text).render(Scope("{}")) == text


@given(
    st.sampled_from(["if", "else", "elseif", "end", "set", "foreach", "stop"]),
    st.from_regex(r"[A-Za-z0-9_@]{1,8}", fullmatch=True),
)
def test_a_name_that_begins_like_a_directive_is_text(directive: str, more: str) -> None:
    word = directive + more
    if word in ("elseif", "define", "macro", "break", "literal"):
        return
    assert compile_template(f"#if(true)#{word} #end").render(Scope("{}")) == f"#{word} "


@pytest.mark.parametrize(
    "text",
    [("$x[" * 48 + "a ") * 2000, '$x["' * 70_000, "#if($a)" * 40, "(" * 300_000, "#set($x = [" + "[" * 100_000],
    ids=["indexes", "strings", "blocks", "parentheses", "lists"],
)
def test_nothing_takes_long_to_read(text: str) -> None:
    steps = 0

    class Counting(str):
        """Counts how often it is looked into, in place of a clock."""

        __slots__ = ()

        def startswith(self, *args: object) -> bool:
            nonlocal steps
            steps += 1
            return str.startswith(self, *args)  # type: ignore[arg-type]

        def __getitem__(self, key: object) -> str:
            nonlocal steps
            steps += 1
            return str.__getitem__(self, key)  # type: ignore[index]

    with suppress(TemplateError):
        compile_template(Counting(text))
    assert steps <= 12 * len(text) + 1000
