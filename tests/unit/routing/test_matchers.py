"""Matchers in Alertmanager's form, and operators' regular expressions, which RE2 runs."""

from __future__ import annotations

import subprocess
import sys
from time import perf_counter

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from alertworker.routing.expressions import MAX_LENGTH, ExpressionError, check
from alertworker.routing.matchers import Matcher, MatcherError, parse, parse_list

#: Any string at all: also what no encoding takes.
ANYTHING = st.text(st.characters(exclude_categories=()), max_size=40)
LABEL = st.from_regex(r"[a-z_][a-z0-9_]{0,10}", fullmatch=True)


def accepts(expression: str) -> bool:
    """Return whether RE2 takes an expression."""
    try:
        check(expression)
    except ExpressionError:
        return False
    return True


#: Expressions that RE2 accepts, of what needs care when it is written.
EXPRESSION = (
    st.lists(
        st.sampled_from(["a", ".", "\\.", "[.]", "\\d+", "(x|y)", "\\\\", '"', "\n", "\\n", ",", "}", "é", " ", "\\"]),
        max_size=8,
    )
    .map("".join)
    .filter(accepts)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("{}", []),
        ('{foo="bar"}', [("foo", "=", "bar")]),
        ('{foo="bar",baz!~".*quux", derp="wat"}', [("foo", "=", "bar"), ("baz", "!~", ".*quux"), ("derp", "=", "wat")]),
        ('{foo = "bar", dings != "bums", }', [("foo", "=", "bar"), ("dings", "!=", "bums")]),
        ("foo=bar,dings!=bums,", [("foo", "=", "bar"), ("dings", "!=", "bums")]),
        ('{quote="She said: \\"Hi, ladies!…\\""}', [("quote", "=", 'She said: "Hi, ladies!…"')]),
        ('foo=""', [("foo", "=", "")]),
        ("{foo=🙂bar}", [("foo", "=", "🙂bar")]),
        ('{"foo"="bar\\n"}', [("foo", "=", "bar\n")]),
        ("foo=~[a-z]+", [("foo", "=~", "[a-z]+")]),
        ("tricky=~~~", [("tricky", "=~", "~~")]),
        (r"trickier==\\=\=\"", [("trickier", "=", '=\\=\\="')]),
        (
            'contains_quote != "\\"" , contains_comma !~ "foo,bar" , ',
            [("contains_quote", "!=", '"'), ("contains_comma", "!~", "foo,bar")],
        ),
        ('team=~"acme\\\\.search"', [("team", "=~", r"acme\.search")]),
        ('team=~"acme\\.search"', [("team", "=~", r"acme\.search")]),
        ('team=~"acme[.]search"', [("team", "=~", "acme[.]search")]),
        ('team="a\\tb"', [("team", "=", "a\\tb")]),
        ('team="two\nlines"', [("team", "=", "two\nlines")]),
        ('team="a"\nregion=eu\n', [("team", "=", "a"), ("region", "=", "eu")]),
        ("team=o'brien", [("team", "=", "o'brien")]),
    ],
)
def test_lists_of_matchers_are_read_as_alertmanager_reads_them(text: str, expected: list[tuple[str, str, str]]) -> None:
    """Quotes, escapes, braces and commas; a backslash that escapes nothing is itself."""
    assert [(one.label, one.operator, one.value) for one in parse_list(text)] == expected


@pytest.mark.parametrize(
    "text",
    [
        "job=",
        'job="value',
        'job=value"',
        'foo=foo"bar',
        r"trickier==\\=\=\"" + '"',
        '{invalid-name = "valid label"}',
        '"foo=\\"bar\\""',
        ",",
        "{,}",
        "a=b,,c=d",
        "{",
        "}",
        "foo=bar}",
        '{foo="bar"',
        "a=b c=d",
        "team='search'",
        '""="x"',
        '"odd name"="x"',
    ],
)
def test_a_matcher_that_alertmanager_refuses_or_misreads_is_refused(text: str) -> None:
    """Quotes of another kind, and blanks between matchers, would silently become part of a value."""
    with pytest.raises(MatcherError):
        parse_list(text)


@given(
    label=LABEL,
    operator=st.sampled_from(["=", "!="]),
    value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40),
)
def test_a_plain_matcher_reads_back_as_it_is_written(label: str, operator: str, value: str) -> None:
    """Silences are kept in their written form."""
    matcher = Matcher(label, operator, value)

    assert parse(str(matcher)) == matcher


@given(label=LABEL, operator=st.sampled_from(["=~", "!~"]), value=EXPRESSION)
def test_an_expression_reads_back_as_it_is_written(label: str, operator: str, value: str) -> None:
    """Backslashes, quotes and line breaks included, also in a list."""
    matcher = Matcher(label, operator, value)

    assert parse(str(matcher)) == matcher
    assert parse_list(f"{{{matcher},{matcher},}}") == (matcher, matcher)


@given(ANYTHING)
def test_every_input_is_read_or_refused(text: str) -> None:
    """No other exception leaves the parser, and what it read can be kept as UTF-8."""
    for candidate in (text, f'team=~"{text}"', f"team={text}"):
        try:
            found = parse_list(candidate)
        except MatcherError as error:
            str(error).encode()
            continue
        for matcher in found:
            str(matcher).encode()
            matcher.passes({matcher.label: "x"})


@given(ANYTHING)
def test_every_label_value_can_be_matched(value: str) -> None:
    """A lone surrogate is replaced before RE2, which reads UTF-8, sees the value."""
    assert parse('user=~"(?s:.*)"').passes({"user": value})
    assert not parse('user=~"(?s:.*)never"').passes({"user": value})


@pytest.mark.parametrize(
    ("expression", "remedy"),
    [
        ("(?=x).*", "second matcher"),
        ("(?!test).*", "second matcher with !~"),
        ("(?<=x)a", "second matcher"),
        ("(?<!x)a", "second matcher with !~"),
        (r"(a)\1", "write the alternatives out"),
        ("(?P<one>a)(?P=one)", "write the alternatives out"),
        ("(?>a+)b", "use (?:...)"),
        (r"team\Z", "leave \\Z out"),
        ("a{1000}{1000}", "RE2"),
        ("(a{1000}){1000}", "at most 1,000 times"),
        (r"\p{L}{1000}", "smaller repetitions"),
        ("(", "RE2"),
        ("x" * (MAX_LENGTH + 1), "use several routes"),
        ("(a|b)*" * 5_000, "use several routes"),
        ("(" * 1_000_000, "use several routes"),
        ("a\ud800", "character 2 is not valid Unicode; write the text in UTF-8"),
        ("a\0", "character 2 is NUL; remove it"),
    ],
)
def test_an_expression_that_re2_refuses_is_an_error_with_a_remedy(expression: str, remedy: str) -> None:
    """Look-around, back references, and what would need too much memory: the error names the matcher."""
    with pytest.raises(MatcherError) as caught:
        parse(f'team=~"{expression}"')

    assert remedy in str(caught.value)
    assert "team=~" in str(caught.value)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("([a-z0-9]+[._-]?)+@example[.]com", "a" * 40 + "!"),
        ("(x+x+)+y", "x" * 10_000),
        ("(a|aa)+", "a" * 10_000 + "!"),
        ("(.*)*", "\n" * 10_000),
        ("[ab]*a[ab]{400}c", "ab" * 5_000),
        (("(a|b)*" * 200)[: MAX_LENGTH - 4] + "c", "ab" * 128),
        (("(.*)" * 300)[: MAX_LENGTH - 4] + "c", "ab" * 128),
    ],
)
def test_an_expression_takes_time_linear_in_the_value(expression: str, value: str) -> None:
    """A backtracking engine would need minutes, or years; the bound is wide, for a busy machine."""
    matcher = parse(f'user=~"{expression}"')
    started = perf_counter()

    assert not matcher.passes({"user": value})
    assert perf_counter() - started < 2


def test_thousands_of_expressions_are_each_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An alert is matched against all of them. To compile them for each alert took half a second under the lock."""
    compiled: list[str] = []
    compile_one = re2.compile

    def counting(expression: str, options: object) -> object:
        compiled.append(expression)
        return compile_one(expression, options)

    monkeypatch.setattr(re2, "compile", counting)
    matchers = [parse(f'team=~"counted-{number}|x"') for number in range(10_000)]
    for _ in range(2):
        assert not any(matcher.passes({"team": "search"}) for matcher in matchers)

    assert len(compiled) == 10_000


@pytest.mark.parametrize("module", ["alertworker.publisher", "alertworker.integrations.litellm"])
def test_a_proxy_needs_no_re2(module: str) -> None:
    """Its image may be Alpine's, for which there is none."""
    code = f"import sys; sys.modules['re2'] = None; import {module}"

    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
