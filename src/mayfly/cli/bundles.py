"""What `Metadata: {BuildMethod: esbuild}` of a function asks for, in the terms of esbuild's command line.

Pure: from a template's resource to a `Bundle`, and from what was built back to the resource. The properties are those
of `sam build` (AWS SAM's developer guide, "Building Node.js Lambda functions with esbuild"): any of esbuild's options
in PascalCase. Who builds is `bundling`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from mayfly.errors import CallerError

ESBUILD = "esbuild"  # the BuildMethod
SOURCE_MAPS = "--enable-source-maps"
NODE_OPTIONS = "NODE_OPTIONS"
EVERY_DEPENDENCY = "./node_modules/*"  # as an External: whatever package.json names
OUTPUTS = (".js", ".mjs", ".cjs")

_EXTERNAL, _ENTRY_POINTS, _NPM_CI = "external", "entry-points", "use-npm-ci"
_OURS = frozenset(("bundle", "platform", "outdir"))  # SAM ignores them, too
_UNFIT = frozenset(("outfile", "watch", "serve", "servedir", "metafile", "allow-overwrite", "preserve-symlinks"))
_JOINED = frozenset(("main-fields", "target", "conditions", "resolve-extensions", "drop-labels"))  # a,b in one option
_SPELT_OUT = frozenset(("sources-content", "tree-shaking", "ignore-annotations"))  # whose default is not false
_DEFAULTS = {"target": "--target=es2020", "format": "--format=cjs", "minify": "--minify"}
_LAYER, _INTRINSIC = "/opt/", ("Ref", "Fn::")


class BundleError(CallerError):
    """The build properties cannot be understood; the message names the one."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What to make of a folder with esbuild."""

    entry_points: tuple[str, ...]  # below the folder, with or without a suffix
    options: tuple[str, ...] = ()  # of esbuild, but for External
    external: tuple[str, ...] = ()  # modules that are not bundled
    beside: bool = True  # those that package.json names are packaged beside: no layer may hold them
    handler: str = ""  # as the template has it
    source_maps: bool = False
    npm_ci: bool = False  # a lock that does not fit package.json is an error


def bundle_of(
    logical_id: str, metadata: Mapping[str, Any], properties: Mapping[str, Any], shared: Mapping[str, Any]
) -> Bundle:
    """What the function is built to; `shared` is the template's Globals of functions. `BundleError`."""
    told = metadata.get("BuildProperties") or {}
    if not isinstance(told, dict):
        raise BundleError(f"{logical_id}: BuildProperties has to be an object")
    values = {_dashed(key): value for key, value in told.items()}
    handler = properties.get("Handler", shared.get("Handler"))
    if "sourcemap" not in values and SOURCE_MAPS in str(_node_options(properties, shared)).split():
        values["sourcemap"] = True
    options = [option for key, option in _DEFAULTS.items() if key not in values]
    for key, value in values.items():
        if key in _UNFIT:
            raise BundleError(f"{logical_id}: the build property {_pascal(key)} has no place in a build of a function")
        if key not in _OURS and key not in (_EXTERNAL, _ENTRY_POINTS, _NPM_CI):
            options += _options(logical_id, key, value)
    return Bundle(
        _entry_points(logical_id, values.get(_ENTRY_POINTS), handler),
        tuple(options),
        tuple(_texts(logical_id, _EXTERNAL, values.get(_EXTERNAL, ()))),
        not (properties.get("Layers") or shared.get("Layers")),
        handler if isinstance(handler, str) else "",
        bool(values.get("sourcemap")) and values.get("sourcemap") != "false",
        values.get(_NPM_CI) is True,
    )


def bundled(resource: dict[str, Any], bundle: Bundle, handler: str, shared: Mapping[str, Any]) -> dict[str, Any]:
    """The resource once it is built: with the handler where esbuild put it, and with Node.js told of source maps."""
    properties = dict(resource.get("Properties", {}))
    if handler and handler != bundle.handler:
        properties["Handler"] = handler
    if bundle.source_maps and (options := _with_source_maps(_node_options(properties, shared))) is not None:
        environment = dict(properties.get("Environment") or {})
        environment["Variables"] = {**(environment.get("Variables") or {}), NODE_OPTIONS: options}
        properties["Environment"] = environment
    return {**resource, "Properties": properties}


def source_map_warning(bundle: Bundle, properties: Mapping[str, Any], shared: Mapping[str, Any]) -> str | None:
    """What there is to say of a function that is built with source maps."""
    if not bundle.source_maps:
        return None
    before = _node_options(properties, shared)
    if SOURCE_MAPS in str(before).split():
        return None
    if _with_source_maps(before) is None:
        return f"source maps are built, but its {NODE_OPTIONS} is no text that {SOURCE_MAPS} could be added to"
    return f"source maps are built, so {NODE_OPTIONS} has {SOURCE_MAPS}: starts and errors take longer"


def handler_in(outputs: Sequence[str], handler: str) -> str:
    """The handler's module among the files that were built, such as `["app.js"]` for `src/app.handler`; as it is told
    where none fits. A module that lies where it is told wins, then the one with most of its path."""
    if not handler or handler.startswith(_LAYER):
        return handler
    path = PurePosixPath(handler)
    stem, *function = path.name.split(".")
    parts = (*path.parts[:-1], stem)
    for begin in range(len(parts)):
        module = "/".join(parts[begin:])
        if any(f"{module}{suffix}" in outputs for suffix in OUTPUTS):
            return ".".join((module, *function))
    return handler


def _entry_points(logical_id: str, told: object, handler: object) -> tuple[str, ...]:
    if told:
        return tuple(_texts(logical_id, _ENTRY_POINTS, told))
    if not isinstance(handler, str) or not handler.strip("."):
        raise BundleError(f"{logical_id}: esbuild needs a Handler that is text, or EntryPoints in its BuildProperties")
    path = PurePosixPath(handler)
    return (str(path.with_name(path.name.split(".", 1)[0] or path.name)),)


def _options(logical_id: str, key: str, value: object) -> Iterator[str]:
    if isinstance(value, bool):
        if key in _SPELT_OUT:
            yield f"--{key}={str(value).lower()}"
        elif value:
            yield f"--{key}"
    elif isinstance(value, dict):
        if any(str(name).startswith(_INTRINSIC) for name in value):
            raise BundleError(f"{logical_id}: the build property {_pascal(key)} has to be a value, not a function")
        for name, item in value.items():
            (text,) = _texts(logical_id, key, [item])
            yield f"--{key}:{name}={text}"
    elif isinstance(value, list):
        texts = _texts(logical_id, key, value)
        yield from [f"--{key}={','.join(texts)}"] if key in _JOINED else [f"--{key}:{text}" for text in texts]
    else:
        (text,) = _texts(logical_id, key, value)
        yield f"--{key}={text}"


def _texts(logical_id: str, key: str, value: object) -> list[str]:
    items = value if isinstance(value, list | tuple) else [value]
    if wrong := [item for item in items if not isinstance(item, str | int | float)]:
        raise BundleError(
            f"{logical_id}: the build property {_pascal(key)} has to be text, or a list of it, not {wrong[0]}"
        )
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in items]


def _node_options(properties: Mapping[str, Any], shared: Mapping[str, Any]) -> object:
    """NODE_OPTIONS of the function, or else of all; empty: there is none."""
    for holder in (properties, shared):
        environment = holder.get("Environment")
        variables = environment.get("Variables") if isinstance(environment, dict) else None
        if isinstance(variables, dict) and NODE_OPTIONS in variables:
            return variables[NODE_OPTIONS]
    return ""


def _with_source_maps(options: object) -> str | None:
    if not isinstance(options, str):
        return None
    return options if SOURCE_MAPS in options.split() else f"{options} {SOURCE_MAPS}".lstrip()


def _dashed(name: object) -> str:
    """`MainFields` as `main-fields`."""
    return re.sub(r"(?<!^)(?<![-_])(?=[A-Z])", "-", str(name)).replace("_", "-").lower()


def _pascal(key: str) -> str:
    return "".join(word.capitalize() for word in key.split("-"))
