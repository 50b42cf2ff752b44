"""The properties of `BuildMethod: esbuild`, as options of esbuild."""

from typing import Any

import pytest

from mayfly.cli.bundles import Bundle, BundleError, bundle_of, bundled, handler_in, source_map_warning


def of(properties: dict[str, Any], shared: dict[str, Any] | None = None, **build: Any) -> Bundle:
    return bundle_of("F", {"BuildProperties": build}, properties, shared or {})


APP = {"Handler": "app.handler"}


def test_what_is_not_told_is_as_sam_has_it() -> None:
    bundle = bundle_of("F", {}, APP, {})
    assert bundle.options == ("--target=es2020", "--format=cjs", "--minify")
    assert (bundle.entry_points, bundle.external, bundle.source_maps) == (("app",), (), False)


@pytest.mark.parametrize(
    ("told", "option"),
    [
        ({"Minify": True}, ["--minify"]),
        ({"Minify": False}, []),
        ({"Target": "node22"}, ["--target=node22"]),
        ({"Target": ["node22", "es2022"]}, ["--target=node22,es2022"]),
        ({"MainFields": "module,main"}, ["--main-fields=module,main"]),
        ({"MainFields": ["module", "main"]}, ["--main-fields=module,main"]),
        ({"Sourcemap": True}, ["--sourcemap"]),
        ({"Sourcemap": "linked"}, ["--sourcemap=linked"]),
        ({"SourcesContent": "false"}, ["--sources-content=false"]),
        ({"SourcesContent": False}, ["--sources-content=false"]),
        ({"TreeShaking": True}, ["--tree-shaking=true"]),
        ({"KeepNames": True, "Splitting": True}, ["--keep-names", "--splitting"]),
        ({"OutExtension": [".js=.mjs"]}, ["--out-extension:.js=.mjs"]),
        ({"Loader": [".sql=text", ".png=file"]}, ["--loader:.sql=text", "--loader:.png=file"]),
        ({"Loader": {".sql": "text"}}, ["--loader:.sql=text"]),
        ({"Banner": [{"js": "a"}]}, None),
        ({"Banner": ["js=// ours"], "Footer": {"js": "//"}}, ["--banner:js=// ours", "--footer:js=//"]),
        ({"Define": {"LEVEL": 3}}, ["--define:LEVEL=3"]),
        ({"Platform": "browser", "Bundle": False, "Outdir": "x"}, []),
        ({"Target": {"Ref": "Stage"}}, None),
        ({"Watch": True}, None),
        ({"Outfile": "x.js"}, None),
    ],
)
def test_properties_become_options(told: dict[str, Any], option: list[str] | None) -> None:
    if option is None:
        with pytest.raises(BundleError, match="F: the build property"):
            of(APP, **told)
        return
    defaults = of(APP).options
    assert [
        one for one in of(APP, **told).options if one not in defaults or ("Minify" in told and "minify" in one)
    ] == option


def test_entry_points_are_those_told_or_the_module_of_the_handler() -> None:
    assert of({"Handler": "src/users/get.handler"}).entry_points == ("src/users/get",)
    assert of({}, {"Handler": "index.main"}).entry_points == ("index",)
    assert of({"Handler": {"Ref": "X"}}, EntryPoints=["a.ts", "b/c.ts"]).entry_points == ("a.ts", "b/c.ts")
    with pytest.raises(BundleError, match="Handler that is text, or EntryPoints"):
        of({"Handler": {"Ref": "X"}})


def test_modules_are_packaged_beside_unless_a_layer_may_hold_them() -> None:
    assert of(APP, External=["sharp"]).external == ("sharp",)
    assert of(APP, External=["sharp"]).beside
    assert not of({**APP, "Layers": ["arn"]}, External=["sharp"]).beside
    assert not of(APP, {"Layers": ["arn"]}, External=["sharp"]).beside


@pytest.mark.parametrize(
    ("outputs", "handler", "expected"),
    [
        (["app.js"], "src/handlers/app.handler", "app.handler"),
        (["app.mjs", "app.mjs.map"], "src/app.handler", "app.handler"),
        (["src/app.js"], "src/app.handler", "src/app.handler"),
        (["a/x.js", "b/x.js"], "src/b/x.handler", "b/x.handler"),
        (["other.js"], "src/app.handler", "src/app.handler"),
        (["app.js"], "/opt/nodejs/wrapper.handler", "/opt/nodejs/wrapper.handler"),
        (["app.js"], "", ""),
        (["app.js"], "lib/app.api.handler", "app.api.handler"),
    ],
)
def test_the_handler_is_found_where_esbuild_put_it(outputs: list[str], handler: str, expected: str) -> None:
    assert handler_in(outputs, handler) == expected


def test_source_maps_and_what_node_is_told_of_them_go_together() -> None:
    options = {"Environment": {"Variables": {"NODE_OPTIONS": "--enable-source-maps", "A": "1"}}}
    assert "--sourcemap" in of({**APP, **options}).options
    assert "--sourcemap" in of(APP, options).options
    assert "--sourcemap" not in of({**APP, **options}, Sourcemap=False).options
    assert source_map_warning(of({**APP, **options}), {**APP, **options}, {}) is None

    mapped = of(APP, Sourcemap=True)
    made = bundled({"Type": "T", "Properties": APP}, mapped, "app.handler", {})
    assert made["Properties"]["Environment"] == {"Variables": {"NODE_OPTIONS": "--enable-source-maps"}}
    assert "so NODE_OPTIONS has --enable-source-maps" in str(source_map_warning(mapped, APP, {}))
    others = {"Environment": {"Variables": {"NODE_OPTIONS": "--no-warnings", "A": "1"}}}
    made = bundled({"Type": "T", "Properties": {**APP, **others}}, mapped, "x.handler", {})
    assert made["Properties"]["Environment"]["Variables"] == {
        "NODE_OPTIONS": "--no-warnings --enable-source-maps",
        "A": "1",
    }
    assert made["Properties"]["Handler"] == "x.handler"
    # What all functions have is kept, although the function has its own from now on.
    made = bundled({"Type": "T", "Properties": APP}, mapped, "", others)
    assert made["Properties"]["Environment"]["Variables"] == {"NODE_OPTIONS": "--no-warnings --enable-source-maps"}

    unknown = {"Environment": {"Variables": {"NODE_OPTIONS": {"Ref": "Options"}}}}
    made = bundled({"Type": "T", "Properties": {**APP, **unknown}}, mapped, "", {})
    assert made["Properties"]["Environment"] == unknown["Environment"]
    assert "no text" in str(source_map_warning(mapped, {**APP, **unknown}, {}))
