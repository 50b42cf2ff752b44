"""Templates as YAML, in the short form that people write: `!Ref`, `!GetAtt`, `!Sub`."""

from typing import Any

import yaml


class Ref(str):
    """`Ref` of a logical id."""

    __slots__ = ()


class GetAtt(str):
    """`Fn::GetAtt` of `id.attribute`."""

    __slots__ = ()


class Sub(str):
    """`Fn::Sub` of a text."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def choose_scalar_style(self) -> Any:
        # Logical ids and attributes need no quotes; the library gives them some because of the tag.
        plain = getattr(self.event, "tag", None) in ("!Ref", "!GetAtt")
        return "" if plain else super().choose_scalar_style()


def _tagged(tag: str) -> Any:
    def represent(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar(tag, str(value))

    return represent


for _kind in (Ref, GetAtt, Sub):
    _Dumper.add_representer(_kind, _tagged(f"!{_kind.__name__}"))


def dumped(template: dict[str, Any]) -> str:
    """The text of a template."""
    return yaml.dump(template, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
