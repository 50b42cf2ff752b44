"""Templates and what they write: Velocity's rules, and where API Gateway differs (marked: recorded of it)."""

import json
from typing import Any

import pytest

from mayfly.vtl.errors import TemplateLimitError, TemplateRunError, TemplateSyntaxError
from mayfly.vtl.template import Scope, compile_template, context_of


def render(template: str, body: Any = "", **known: Any) -> str:
    text = body if isinstance(body, str) else json.dumps(body)
    params = known.get("params", {})
    context = context_of(known.get("context", {}))
    return compile_template(template).render(Scope(text, params, context, known.get("stage", {})))


@pytest.mark.parametrize(
    ("template", "body", "written"),
    [
        # Recorded of API Gateway: what values look like.
        ('#set($r = $input.path("$.json"))$r', {"json": {"foo": "bar"}}, "{foo=bar}"),
        ('#set($r = $input.path("$.json"))$r', {"json": [{"foo": "bar"}]}, '[{"foo":"bar"}]'),
        ('#set($r = $input.path("$.json"))$r.nested', {"json": {"nested": {"foo": "bar"}}}, "{foo=bar}"),
        ('#set($r = $input.path("$.json"))$r.nested', {"json": {"nested": [{"foo": "bar"}]}}, '[{"foo":"bar"}]'),
        ('#set($r = $input.path("$.json"))$r[0]', {"json": [{"foo": "bar"}]}, "{foo=bar}"),
        ('#set($r = $input.path("$.json"))$r[0]', {"json": [[{"foo": "bar"}]]}, '[{"foo":"bar"}]'),
        ('#set($r = $input.path("$.json"))$r', {"json": {"foo": [{"nested": "bar"}]}}, '{foo=[{"nested":"bar"}]}'),
        (
            '#set($r = $input.path("$.json"))$r',
            {"json": {"bigger": "dict", "to": "test", "with": "separators"}},
            "{bigger=dict, to=test, with=separators}",
        ),
        ('#set($r = $input.path("$.json"))$r.toString()', {"json": {"foo": "bar"}}, "{foo=bar}"),
        (
            '#set($r = $input.path("$.json"))$r.toString()',
            {"json": {"list": [{"foo": "bar"}]}},
            '{list=[{"foo":"bar"}]}',
        ),
        # Recorded: the payload as text, and what it is when there is none.
        ("#set($r = $input.body)$r", "", "{}"),
        ("#set($r = $input.body)$r", "some raw data", "some raw data"),
        (
            "Action=SendMessage&MessageBody=$input.body",
            '{"some": "value"}',
            'Action=SendMessage&MessageBody={"some": "value"}',
        ),
        ("#set($r = $input.body.testAccess)$r", '{"some": "value"}', ""),
        ("A=$util.urlEncode($input.body)&B=$util.urlEncode($input.body.x)", "", "A=%7B%7D&B="),
        (
            "A=$util.urlEncode($input.body)&B=$util.urlEncode($input.body.x)",
            '{"some": "value"}',
            "A=%7B%22some%22%3A+%22value%22%7D&B=",
        ),
        ("$util.urlEncode($input.body)", "some raw data", "some+raw+data"),
        # Recorded: what is not there equals both null and the empty string.
        ('#if($input.path("$.no") == $null)t#{else}f#end', "", "t"),
        ('#if($input.path("$.no") == "")t#{else}f#end', "", "t"),
        ("#if($foo.bar.stuff != '')t#{else}f#end", "", "f"),
        ('#if($input.path("$.l") == "")t#{else}f#end', {"l": []}, "f"),
        ('#if($input.path("$.l") == $null)t#{else}f#end', {"l": None}, "t"),
    ],
)
def test_values_look_as_they_were_recorded_of_api_gateway(template: str, body: Any, written: str) -> None:
    assert render(template, body) == written


@pytest.mark.parametrize(
    ("template", "written"),
    [
        ("plain # text $ 5 $1 #fff #", "plain # text $ 5 $1 #fff #"),
        ("$missing|$!missing|${missing}|$!{missing.a.b()}", "|||"),
        ("#set($a = 1)$a.$a-$a,", "1.1-1,"),
        ('#set($a-b = "x")$a-b', "x"),
        ("#set($a = 'x')${a}bc", "xbc"),
        ("#set($a = 'x')\\$a \\\\$a \\$b", "$a \\x \\$b"),
        ("\\#if text \\#set", "#if text #set"),
        ("a ## comment\nb", "a b"),
        ("a #* block\ncomment *#b", "a b"),
        ("#[[$raw #if(]]#!", "$raw #if(!"),
        ("  #set($a = 1)  \n$a", "1"),
        ("#if(true)\n  a\n#else\n  b\n#end\nc", "  a\nc"),
        ("#if(false)a#elseif(true)b#{else}c#end", "b"),
        ("#if(!false && (true || false) and not false)y#end", "y"),
        ("#if('')y#{else}n#end", "n"),
        ("#if(0)y#{else}n#end", "y"),
        ('#if("1" == 1)y#end#if(1.0 == 1)y#end', "yy"),
        ("#if(2 > 1)a#end#if(2 lt 1)b#end#if('10' >= 9)c#end#if('x' < 1)d#end", "ac"),
        ("#set($a = 7 / 2)$a #set($b = -7 / 2)$b #set($c = -7 % 3)$c", "3 -3 -1"),
        ("#set($a = 7.0 / 2)$a #set($a = 1 / 0)<$a>", "3.5 <>"),
        ("#set($a = 2 + 3 * 4 - 1)$a", "13"),
        ("#set($a = '{\"d\":' + 1 + '}')$a", '{"d":1}'),
        ("#set($a = [1, 'b', $c])$a", "[1, b, null]"),
        ("#set($a = {'k': 1, 'l': [1, 2]})$a $a.k $a['l'][1] $a.get('l').size()", "{k=1, l=[1, 2]} 1 2 2"),
        ("#foreach($i in [1..3])$i#if($foreach.hasNext),#end#end", "1,2,3"),
        ("#foreach($i in [3..1])$i$foreach.index$foreach.count$velocityCount #end$i", "3011 2122 1233 "),
        ("#foreach($i in $none)x#end", ""),
        ("#foreach($v in {'a': 1, 'b': 2})$v#end", "12"),
        ("#foreach($i in [1..9])#if($i == 3)#break#end$i#end!", "12!"),
        ("#foreach($i in [1..2])#foreach($j in [1..2])$foreach.parent.count$j #end#end", "11 12 21 22 "),
        ("a#stop b", "a"),
        ("#define($d)<$x>#end#set($x = 1)$d#set($x = 2)$d", "<1><2>"),
        ("#macro(hi $who)hello $who#end#hi('you') #hi(\"$nobody\")", "hello you hello "),
        ('#set($x = "a$y.b${z}c#if(true)d#end")$x', "acd"),
        ("#set($y = 'Y')#set($x = \"$y\")#set($z = '$y')$x $z", "Y $y"),
        ('#set($x = "say ""hi""")$x', 'say "hi"'),
        ('#set($x = "\\u0041")$x', "A"),
        ("#set($m = {})#set($m.a = 1)#set($m['b'] = 2)$m.put('c', 3)$m", "{a=1, b=2, c=3}"),
        ("#set($l = [])$l.add(1)$l.addAll([2, 3])$l$l.contains(2)$l.isEmpty()", "truetrue[1, 2, 3]truefalse"),
        ("#set($m = {'a': 1})#foreach($e in $m.entrySet())$e.key=$e.getValue()#end", "a=1"),
        ("#set($Integer = 0)#set($n = $Integer.parseInt('41') + 1)$n", "42"),
        ("$x[abc]", "[abc]"),
        # What looks like a directive and is none.
        ("#if(true)#endTime#elsewhere#end_x#else2 #end", "#endTime#elsewhere#end_x#else2 "),
        (
            "#iffy #settle #foreachx #endless #1 #- #{} #{if #_ #@x",
            "#iffy #settle #foreachx #endless #1 #- #{} #{if #_ #@x",
        ),
        ("#if(false)是#else否#end。", "否。"),
        ("#set #set $x #SET($x = 1) #If(true)", "#set #set  #SET( = 1) #If(true)"),
        ("${ $} ${1} $!{ $.x $[0] ${} $$ $! ", "${ $} ${1} $!{ $.x $[0] ${} $$ $! "),
        ("#if\n (true)y#end", "y"),
        ("#set($a = .5)#set($b = 2.)$a $b", "0.5 2.0"),
        ("#literal()$a #if(true)x#end#end!", "$a #if(true)x#end!"),
        ("#macro(b $x)<$x$bodyContent>#end#@b(1)in#end|#@none(1)x#end|$bodyContent", "<1in>|#@none|"),
        ("a #* never closed", "a "),
    ],
)
def test_velocity_is_written_as_velocity_writes_it(template: str, written: str) -> None:
    assert render(template) == written


@pytest.mark.parametrize(
    ("call", "written"),
    [
        ("length()", "7"),
        ("substring(2)", "-BAZ "),
        ("substring(1, 3)", "a-"),
        ("indexOf('A')", "4"),
        ("contains('BAZ')", "true"),
        ("replaceAll('[A-Z]+', '<$0>')", " a-<BAZ> "),
        ("replaceAll('^(.*)-(.*)$', '$2-$1')", "BAZ - a"),
        ("replaceFirst('[A-Z]', 'x')", " a-xAZ "),
        ("replace('A', 'x')", " a-BxZ "),
        ("trim().toLowerCase()", "a-baz"),
        ("split('-')", "[ a, BAZ ]"),
        ("split('-')[1].trim()", "BAZ"),
        ("matches('.*Z ')", "true"),
        ("equals(' a-BAZ ')", "true"),
        ("equalsIgnoreCase(' A-baz ')", "true"),
        ("startsWith(' a')", "true"),
        ("concat('!')", " a-BAZ !"),
        ("charAt(1)", "a"),
        ("isEmpty()", "false"),
        ("format('%s|%03d|%.2f', 'x', 7, 1.5)", "x|007|1.50"),
        ("nothing('x')", ""),
        ("length(1)", ""),
    ],
)
def test_strings_have_the_methods_of_javas(call: str, written: str) -> None:
    assert render(f"#set($s = ' a-BAZ ')$s.{call}") == written


def test_java_script_is_escaped_with_single_quotes_which_templates_take_back() -> None:
    body = {"text": 'it\'s "so"\nan/é'}
    assert render("$util.escapeJavaScript($input.path('$.text'))", body) == r"it\'s \"so\"\nan\/\u00E9"
    taken = render("""$util.escapeJavaScript($input.json('$')).replaceAll("\\\\'", "'")""", body)
    assert json.loads(json.loads(f'"{taken}"')) == body


def test_util_encodes_and_decodes() -> None:
    assert render("$util.base64Encode('aé')|$util.base64Decode('YcOp')") == "YcOp|aé"
    assert render("$util.urlEncode('x=a+b ~*')|$util.urlDecode('x%3Da+b')") == "x%3Da%2Bb+%7E*|x=a b"
    assert render("""#set($o = $util.parseJson('{"a": {"b": [1, 2]}}'))$o.a.b[1] $o.a""") == "2 {b=[1,2]}"
    assert render("[$util.toJson({})]") == "[]"


def test_json_gives_json_and_quotes_for_what_is_not_there() -> None:
    body = {"a": {"b": [1, 2.5, True, None, "x"]}, "n": None}
    assert render("$input.json('$.a')", body) == '{"b":[1,2.5,true,null,"x"]}'
    assert render("$input.json('$.missing')|$input.json('$.n')", body) == '""|null'
    assert render("$input.json('a.b[4]')", body) == '"x"'
    assert render("$input.json('$')", "a=1&b=2") == '"a=1&b=2"'
    assert render("$input.path('$.statusCode')", "{statusCode: 200}") == "200"


def test_what_is_changed_in_the_payload_shows_in_its_json() -> None:
    assert render("#set($r = $input.path('$'))#set($r.body = 'new')$input.json('$')", {"body": 1}) == '{"body":"new"}'


def test_params_are_looked_for_in_path_query_and_header_whatever_the_case_of_headers() -> None:
    params = {"path": {"id": "p"}, "querystring": {"id": "q", "x": "q"}, "header": {"x": "h", "Content-Type": "t"}}
    template = "$input.params('id')$input.params('x')$input.params('content-type')<$input.params('no')>"
    assert render(template, params=params) == "pqt<>"
    nested = (
        "#set($p = $input.params())#foreach($t in $p.keySet())$t:$p.get($t).size() #end$p.header.get('content-type')"
    )
    assert render(nested, params=params) == "path:1 querystring:2 header:2 t"


def test_context_is_numbers_where_it_is_and_its_sections_look_like_nothing() -> None:
    context = {"requestTimeEpoch": 1700000000000, "identity": {"sourceIp": "1.2.3.4"}, "stage": "prod"}
    template = "#set($ttl = $context.requestTimeEpoch + 86400)$ttl [$context.identity] $context.identity.sourceIp"
    assert render(template, context=context) == "1700000086400 [] 1.2.3.4"
    listed = "#foreach($k in $context.keySet())$k=$context.get($k);#end"
    assert render(listed, context={"stage": "prod"}) == "stage=prod;requestOverride=;responseOverride=;"


def test_overrides_are_written_by_property_index_and_put() -> None:
    context = context_of({})
    template = compile_template(
        '#set($context.requestOverride.header.X-Amz-Target = "AWSEvents.PutEvents")'
        '#set($n = "foo")#set($context["requestOverride"].querystring[$n] = "bar")'
        '$context.requestOverride.path.put("id", 7)#set($context.responseOverride.status = 400)'
    )
    assert template.render(Scope("", context=context)) == ""
    assert context["requestOverride"] == {
        "header": {"X-Amz-Target": "AWSEvents.PutEvents"},
        "querystring": {"foo": "bar"},
        "path": {"id": 7},
    }
    assert context["responseOverride"] == {"header": {}, "status": 400}


def test_stage_variables_are_a_map() -> None:
    assert render("$stageVariables.table ${stageVariables.get('x')}", stage={"table": "t"}) == "t "


@pytest.mark.parametrize(
    ("template", "line", "says"),
    [
        ("#if(true)", 1, "#end is missing"),
        ("\n#if(true", 2, "')' is missing"),
        ("#set($x = )", 1, "a value was expected"),
        ("#set($x 1)", 1, "'=' is missing"),
        ("#set(x = 1)", 1, "#set takes a reference"),
        ("#foreach($x of $y)#end", 1, "lacks its in"),
        ("a\nb #end", 2, "#end has no beginning"),
        ("#else", 1, "#else has no beginning"),
        ("#set($x = 'abc)", 1, "a string does not end"),
        ("${abc", 1, "'}' is missing"),
        ("$a.b(", 1, "a value was expected"),
        ("#set($x = [1, 2)", 1, "']' is missing"),
        ("#set($x = {'a' 1})", 1, "':' is missing"),
        ("#parse('x')", 1, "#parse is not allowed"),
        ("#include('x')", 1, "#include is not allowed"),
        ("#[[ abc", 1, "]]#"),
        ("#if(true)" * 60, 1, "nested deeper"),
        ("#set($x = " + "(" * 80 + "1" + ")" * 80 + ")", 1, "nested deeper"),
        ('#set($x = "$y.a(")', 1, "a value was expected"),
        ("#if true", 1, "#if lacks its parentheses"),
        ("a #foreach", 1, "#foreach lacks its parentheses"),
        ("#if(true)a#endif", 1, "#end is missing for #if"),
        ("\n#{foreach}($x in [1])\n\n#if(true)\n#end", 2, "#end is missing for #{foreach}"),
        ("#if(true)#else#else#end", 1, "#else has no beginning"),
        ("#if(true)#else#elseif(true)#end", 1, "#elseif has no beginning"),
        ("#set($a.b() ", 1, "'=' is missing"),
        ("#foreach($x in $y))\n#end\n#end", 3, "#end has no beginning"),
        ("#macro()#end", 1, "#macro lacks its name"),
    ],
)
def test_a_broken_template_is_refused_with_its_place(template: str, line: int, says: str) -> None:
    with pytest.raises(TemplateSyntaxError, match="line") as refused:
        compile_template(template)
    assert says in str(refused.value)
    assert refused.value.line == line


@pytest.mark.parametrize(
    "template",
    [
        "#set($s = 'ab')$s.substring(5)",
        "#set($l = [])$l.get(3)",
        "$input.path('$[')",
        "$util.parseJson('{')",
        "#set($s = 'a')$s.replaceAll('(', 'x')",
        "#set($Integer = 0)$Integer.parseInt('x')",
    ],
)
def test_a_method_that_fails_fails_the_run(template: str) -> None:
    with pytest.raises(TemplateRunError):
        render(template)


@pytest.mark.parametrize(
    "template",
    [
        "#set($x = 'xxxxxxxxxx')#foreach($i in [1..1000])#set($x = $x + $x)#end",
        "#foreach($a in [1..1000])#foreach($b in [1..1000])#foreach($c in [1..1000])x#end#end#end",
        "#define($d)$d#end$d",
        "#macro(m)#m()#end#m()",
        "#set($x = [0..999999999])",
        "#set($x = 9)#foreach($i in [1..100])#set($x = $x * $x)#end",
        "#set($l = [])#set($l2 = $l.add($l))$l",
        "#set($s = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!')$s.matches('(a|aa|a.)+[bc]')",
        "#set($m = {})#foreach($i in [1..1000])#set($m = {'a': $m})#end$m",
    ],
)
def test_a_run_is_bounded(template: str) -> None:
    with pytest.raises(TemplateLimitError):
        render(template)


def test_a_run_is_bounded_in_processor_time() -> None:
    template = compile_template("#foreach($i in [1..10])$input.json('$')#end")
    moments = iter([0.0, 0.1, 0.2, 0.6])
    with pytest.raises(TemplateLimitError, match=r"0\.5 s"):
        template.render(Scope("{}"), spent=lambda: next(moments))


def test_a_loop_ends_after_a_thousand_rounds() -> None:
    assert render("#foreach($i in [1..5000])x#end") == "x" * 1000


def test_a_template_may_be_as_long_as_aws_allows() -> None:
    with pytest.raises(TemplateLimitError, match="307200"):
        compile_template("x" * 307_201)
