"""Makes the golden files from Python's jinja2, with the settings of Hugging Face.

    pip install jinja2
    python generate.py                    # cases.json beside it
    python generate.py templates FOLDER   # expected.json in FOLDER, of its *.jinja
    python generate.py more SEED COUNT FILE   # more random cases than are kept

A case has a template, variables, and what it renders; "error" if it does not. The
time is 2026-03-09 08:05:07 throughout. The test that reads FOLDER finds it in the
environment variable DEEPPRUNE_TEMPLATES; more cases are read instead of those kept
if JINJA_CASES names their file.
"""

import copy
import datetime
import glob
import json
import os
import random
import re
import sys
import warnings

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = os.path.dirname(os.path.abspath(__file__))
NOW = datetime.datetime(2026, 3, 9, 8, 5, 7, 123456)


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("render"), [], [], body).set_lineno(line)

    def render(self, caller):
        return caller()


class TemplateDict:
    def __call__(self, *args, **kwargs):
        return dict(*args, **kwargs)

    def fromkeys(self, *args, **kwargs):
        return dict.fromkeys(*args, **kwargs)


class TemplateNamespace(jinja2.utils.Namespace):
    def __init__(*args, **kwargs):
        self, args = args[0], args[1:]
        attrs = dict(*args, **kwargs)
        for name in attrs:
            TemplateNamespace.check(name)
        jinja2.utils.Namespace.__init__(self, attrs)

    def __setitem__(self, name, value):
        TemplateNamespace.check(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)

    @staticmethod
    def check(name):
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(name)

    def __repr__(self):
        return jinja2.utils.Namespace.__repr__(self)


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals.update(raise_exception=raise_exception, strftime_now=NOW.strftime, dict=TemplateDict(), namespace=TemplateNamespace)
    return env


ENV = environment()


def render(template, variables):
    try:
        # A copy, since the indent filter appends to a list that it is given.
        return {"want": ENV.from_string(template).render(**copy.deepcopy(variables))}
    except Exception as e:
        return {"error": f"{type(e).__name__}: {e}"[:200]}


VARIABLES = {
    "n": 7, "neg": -3, "zero": 0, "big": 12345678901234567890, "pi": 3.14159, "whole": 2.0, "tiny": 1.5e-7, "huge": 1e22,
    "t": True, "f": False, "none_": None, "s": "Hello, World", "empty": "", "spaces": "  a b\t c \n", "lines": "one\n two\n\nthree",
    "uni": "Grüße, Ελλάς straße 日本語 😀 ﬁ", "quotes": "it's \"q\" \\ \n\t\x01\x7f\u2028é", "html": "<a href='x'>&\"</a>",
    "xs": [3, 1, 2], "words": ["pear", "Apple", "fig", "apple"], "mixed": [1, "a", None, True, 2.5, [1, 2], {"k": "v"}], "nothing": [],
    "d": {"b": 1, "a": [1, 2], "C": {"x": None, "y": True}, "items": "shadow"}, "plain": {"one": 1, "two": 2}, "emptyd": {},
    "people": [{"name": "Ann", "age": 31, "city": {"n": "Rome"}}, {"name": "bob", "age": 25, "city": {"n": "Oslo"}}, {"name": "Cy", "age": 31}],
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi <|im_end|>"},
                 {"role": "assistant", "content": "<think>\nhm\n</think>\n\nHello"}, {"role": "user", "content": "Bye"}],
}

CASES = """
{{ s }}|{{ n }}|{{ pi }}|{{ t }}|{{ none_ }}|{{ missing }}|{{ xs }}|{{ d }}|{{ mixed }}|{{ big }}|{{ whole }}|{{ tiny }}|{{ huge }}
{{ uni }}{{ [uni, quotes, "'", '"', "'\\""] }}
{{ () }}{{ (1,) }}{{ (1, 2) }}{{ [] }}{{ {} }}{{ {'a': 1, 2: 'b', None: 1.0, (1, 2): []} }}
{{ 1, 2 }}{{ 1, }}
{{ 'a' 'b' "c" }}
{{ 'x\\n\\t\\\\\\'\\x41\\u00e9\\U0001F600\\101\\q\\a' }}
{{ "a\\
b" }}
{{ 1_000 }} {{ 0x1F }} {{ 0o17 }} {{ 0b101 }} {{ 1e3 }} {{ 1.5e-3 }} {{ 1_0.5 }} {{ 0 }} {{ 00 }}
{{ 1.0 }} {{ 1e16 }} {{ 123456789012345680.0 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }} {{ -0.0 }} {{ 1e100 }} {{ 5e-324 }}
{{ n + 1 }} {{ n - 10 }} {{ n * 3 }} {{ n / 2 }} {{ n // 2 }} {{ n % 3 }} {{ n ** 2 }} {{ 2 ** -1 }} {{ 2 ** 0.5 }}
{{ -7 // 2 }} {{ -7 % 3 }} {{ 7 // -2 }} {{ 7 % -3 }} {{ -7.5 // 2 }} {{ -7.5 % 2 }} {{ 7.5 % -2 }} {{ 6.0 % 3 }} {{ -6.0 % 3 }}
{{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ (-2) ** 3 }} {{ 10 / 5 }} {{ 1 - -1 }} {{ +n }} {{ -t }} {{ t + t }} {{ t * 2.5 }}
{{ 1 + 2 * 3 - 4 / 2 }} {{ (1 + 2) * 3 }} {{ 1 ~ 2 ~ 'a' ~ none ~ missing ~ true }}
{{ 1 + 1 ~ 2 }}
{{ 1 + 1 ~ 2 + 3 }}
{{ 'ab' * 3 }} {{ 3 * 'ab' }} {{ 'ab' * 0 }} {{ 'ab' * -1 }} {{ [1, 2] * 2 }} {{ (1,) * 3 }} {{ 'a' * true }}
{{ 'a' + 'b' }} {{ [1] + [2] }} {{ (1,) + (2,) }}
{{ 'a' + 1 }}
{{ [1] + (2,) }}
{{ missing + 1 }}
{{ none_ + 'a' }}
{{ 1 / 0 }}
{{ 1 // 0 }}
{{ 1 % 0 }}
{{ 1.0 / 0 }}
{{ 'a' - 'b' }}
{{ -'a' }}
{{ 1 < 2 }} {{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 3 > 2 >= 2 }} {{ 'a' < 'b' }} {{ 'Z' < 'a' }} {{ [1, 2] < [1, 3] }} {{ (1,) < (1, 0) }} {{ 1 <= 1.0 }}
{{ 1 == 1.0 }} {{ 1 == true }} {{ 0 == false }} {{ '1' == 1 }} {{ none == none }} {{ [1, [2]] == [1, [2]] }} {{ [1] == (1,) }} {{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1.0} }}
{{ missing == nope }} {{ missing == none }} {{ missing != 1 }} {{ 'é' == 'é' }} {{ 1 != 2 }}
{{ 'a' < 1 }}
{{ none < 1 }}
{{ missing < 1 }}
{{ {} < {} }}
{{ 1 in xs }} {{ 9 in xs }} {{ 9 not in xs }} {{ 'ell' in s }} {{ '' in s }} {{ 'b' in d }} {{ 'z' not in d }} {{ 1 in (1, 2) }} {{ 1.0 in xs }} {{ true in [1] }}
{{ 1 in 'abc' }}
{{ 1 in 5 }}
{{ 1 in missing }} {{ 'x' in missing }}
{{ missing in 'abc' }}
{{ not true }} {{ not '' }} {{ not not 1 }} {{ not 1 == 2 }} {{ not xs }} {{ not missing }}
{{ 1 and 2 }} {{ 0 and 2 }} {{ '' or 'x' }} {{ 'a' or 'b' }} {{ none or missing or 0 }} {{ 1 and 0 or 3 }} {{ true or 1 / 0 }}
{{ 'y' if t else 'n' }} {{ 'y' if f else 'n' }} {{ 'y' if f }} {{ 1 if 0 else 2 if 0 else 3 }} {{ (1 if t else 2) + 1 }}
{{ ('y' if f) is defined }}
{{ ('y' if f) + 'a' }}
{% if 1 %}a{% elif 1 / 0 %}b{% endif %}{% if 0 %}a{% elif '' %}b{% elif xs %}c{% else %}d{% endif %}{% if nothing %}a{% else %}d{% endif %}
{% if emptyd %}1{% endif %}{% if 0.0 %}2{% endif %}{% if 'False' %}3{% endif %}{% if none_ %}4{% endif %}{% if missing %}5{% endif %}{% if [none] %}6{% endif %}{% if () %}7{% endif %}{% if range(0) %}8{% endif %}{% if range(1) %}9{% endif %}
{% if 1, 0 %}tuple{% endif %}
{% if: %}x{% endif %}
{% if t: %}x{% else: %}y{% endif %}
{{ s[0] }}{{ s[-1] }}{{ s[1:4] }}{{ s[:5] }}{{ s[7:] }}{{ s[::-1] }}{{ s[-5:-1] }}{{ s[::2] }}{{ s[10:2:-3] }}{{ s[100:] }}{{ s[:100] }}{{ s[99] }}
{{ uni[0] }}{{ uni[2:5] }}{{ uni[::-1] }}{{ uni[-1] }}{{ uni | length }}{{ uni[-4:] }}{{ uni[1::3] }}
{{ xs[0] }}{{ xs[-1] }}{{ xs[1:] }}{{ xs[::-1] }}{{ xs[:-1] }}{{ xs[5] }}{{ xs[5:] }}{{ xs[-2:] }}{{ xs[::-2] }}{{ xs[2:0:-1] }}{{ (1, 2, 3)[1:] }}
{{ xs[true] }}{{ xs['a'] }}{{ xs.0 }}{{ xs.1 }}{{ xs[1.0] }}{{ mixed.5.1 }}
{{ xs[::0] }}
{{ xs['a':] }}
{{ missing[0] }}
{{ missing[0:1] }}
{{ missing.x }}
{{ d.b }}{{ d['b'] }}{{ d.a[0] }}{{ d.C.x }}{{ d['C']['y'] }}{{ d.nope }}{{ d['nope'] }}{{ d.a.b }}{{ none_.x }}{{ n.x }}{{ s.x }}{{ s['x'] }}{{ none_[0] }}{{ n[0] }}{{ d[0] }}
{{ d.nope.x }}
{{ d['items'] }}{{ d.items() | list }}{{ d.keys() | list }}{{ d.values() | list }}{{ d.get('b') }}{{ d.get('z') }}{{ d.get('z', 9) }}{{ d.get('z', default=1) if 0 else '' }}
{{ d.items() }}{{ d.keys() }}{{ d.values() }}{{ plain.items() | length }}{{ d.items is defined }}{{ plain.copy() }}
{{ d.pop('a') }}
{{ d.update({}) }}
{{ xs.append(1) }}
{{ xs.append is defined }} {{ d.pop is defined }} {{ s.__class__ is defined }} [{{ xs.append }}]
{{ s.__class__.x }}
{{ [1, 2, 1].count(1) }}{{ [1, 2].index(2) }}{{ (1, 2).index(2) }}{{ [1].copy() }}
{{ [1].index(3) }}
{{ d.get([]) }}
{{ {[]: 1} }}
{{ {1: 'a', 1.0: 'b', true: 'c'} }}{{ {1: 'a'}[true] }}{{ {1: 'a'}.get(1.0) }}
{{ n() }}
{{ missing() }}
{{ none_() }}
{% for x in xs %}{{ x }}{% endfor %}|{% for x in nothing %}{{ x }}{% else %}none{% endfor %}|{% for c in 'añ' %}[{{ c }}]{% endfor %}|{% for k in d %}{{ k }}{% endfor %}|{% for x in missing %}x{% else %}e{% endfor %}
{% for x in xs %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}
{% for x in xs %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }}{{ loop.previtem is defined }}{{ loop.nextitem is defined }};{% endfor %}
{% for x in [1, 1, 2, 2, 1] %}{{ loop.changed(x) }}{{ loop.cycle('a', 'b') }};{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k, v in [(1, 2), [3, 4], 'ab'] %}{{ k }}{{ v }}{% endfor %}{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{% for a, b in [1] %}{% endfor %}
{% for x in 5 %}{% endfor %}
{% for x in none %}{% endfor %}
{% for x in xs if x > 1 %}{{ x }}{{ loop.index }}{{ loop.last }}{% endfor %}{% for x in xs if x > 5 %}{{ x }}{% else %}no{% endfor %}
{% set ns = namespace(stop=false) %}{% for x in xs if not ns.stop %}{{ x }}{% set ns.stop = x == 1 %}{% endfor %}
{% for x in xs %}{% for y in xs %}{{ loop.index }}{% endfor %}{{ loop.index }}{% set outer = loop %}{% for y in 'ab' %}{{ outer.index }}{{ loop.index }}{% endfor %};{% endfor %}
{% for x in xs %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% if loop.last %}{% break %}{% endif %}{% endfor %}{% for x in range(10) %}{% if x == 3 %}{% break %}{% endif %}{{ x }}{% else %}no{% endfor %}
{% break %}
{% for x in xs %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}
{% for x in [[1, [2, 3]], [4]] recursive %}{% if x is iterable %}<{{ loop(x) }}>{% else %}{{ x }}.{{ loop.depth }}{% endif %}{% endfor %}
{% for x in xs %}{{ loop(x) }}{% endfor %}
{{ loop }}{{ loop is defined }}
{% for x in xs %}{{ loop }}{% endfor %}
{% set x = 1 %}{% for i in xs %}{% set x = x + i %}{{ x }},{% endfor %}{{ x }}
{% set ns = namespace(x=1, y='a') %}{% for i in xs %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}{{ ns.y }}{{ ns.z }}{{ ns }}{{ ns['x'] }}
{% set ns = namespace() %}{% set ns._x = 1 %}
{% set d.x = 1 %}
{% set nope.x = 1 %}
{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}{% set ns.c = ns.a + ns.b %}{{ ns.c }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set a, b = b, a %}{{ a }}{{ b }}{% set (c, d) = 'xy' %}{{ c }}{{ d }}
{% set a, b = 1 %}
{% set x %}a{{ n }}b{% endset %}{{ x }}|{% set x | upper %}abc{% endset %}{{ x }}|{% set x | replace('a', 'b') | title %}aa a{% endset %}{{ x }}
{% set x = 1 %}{% set y %}{% set x = 2 %}{{ x }}{% endset %}{{ x }}{{ y }}
{% if t %}{% set x = 5 %}{% endif %}{{ x }}
{% with a = 1, b = 2 %}{{ a }}{{ b }}{% set c = 3 %}{% endwith %}{{ a }}{{ c }}{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q }}
{% set a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% endwith %}
{% filter upper %}abc {{ s }}{% endfilter %}{% filter replace('a', 'b') | trim %} aa {% endfilter %}
{% generation %}a{{ s }}{% set x = 1 %}{% endgeneration %}{{ x }}
{% block body %}a{{ n }}{% endblock %}{% block more scoped %}b{% endblock more %}
{% set q = 1 %}{% for x in xs %}{% block z %}{{ x }}{{ q }}{% endblock %}{% endfor %}
{% print 1, s %}
{% macro m(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(1, c=5) }}{{ m(a=9) }}{{ m() }}{{ m(b=1, a=2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(x=1) }}
{% macro m(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}{{ m.name }}{{ m.arguments }}
{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}{{ m(none) }}
{% macro m(a) %}{{ a + 1 }}{% endmacro %}{{ m() }}
{% macro m(n) %}{% if n > 0 %}{{ n }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(5) }}
{% macro m() %}{{ caller() }}-{{ caller('x') if 0 }}{% endmacro %}{% call m() %}body{{ n }}{% endcall %}
{% macro m() %}{{ caller(1, b=2) }}{% endmacro %}{% call(a, b, c=3) m() %}{{ a }}{{ b }}{{ c }}{% endcall %}
{% macro m() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ m() }}{% set x = 2 %}{{ m() }}
{% macro m() %}{% set x = 5 %}{{ x }}{% endmacro %}{{ m() }}{{ x }}
{% for i in xs %}{% macro m() %}{{ i }}{{ loop.index }}{% endmacro %}{{ m() }}{% endfor %}
{% macro m() %}{{ loop }}{% endmacro %}{% for i in xs %}{{ m() }}{% endfor %}
{% macro a() %}[{{ b() }}]{% endmacro %}{% macro b() %}b{% endmacro %}{{ a() | upper }}{{ a() ~ 1 }}{{ a() + 'x' }}{{ a() | length }}
{% macro m(xs) %}{% for x in xs %}{{ x }}{% endfor %}{% endmacro %}{{ m([1, 2]) }}{{ m(*[[3]]) }}{{ m(**{'xs': [4]}) }}
{% call m() %}{% endcall %}
{{ [1, 2, 3] | join }}{{ [1, none, 'a'] | join(', ') }}{{ 'abc' | join('-') }}{{ people | join(',', attribute='name') }}{{ people | join('/', 'age') }}{{ missing | join(',') }}{{ {'a': 1} | join }}
{{ s | length }}{{ xs | count }}{{ d | length }}{{ missing | length }}{{ range(5) | length }}
{{ 5 | length }}
{{ none | length }}
{{ s | upper }}{{ s | lower }}{{ s | title }}{{ 'hello wORLD' | capitalize }}{{ uni | upper }}{{ uni | lower }}{{ uni | title }}{{ uni | capitalize }}{{ 5 | upper }}{{ none | upper }}{{ missing | upper }}
{{ "foo-bar baz(qux [x {y <z it's" | title }}{{ "ΟΔΥΣΣΕΥΣ" | lower }}{{ 'ǆ' | capitalize }}{{ 'ß' | upper }}
{{ spaces | trim }}|{{ 'xxaxx' | trim('x') }}|{{ 'xyaxy' | trim(chars='yx') }}|{{ 5 | trim }}|{{ '\\u3000a\\x1c\\xa0' | trim }}|{{ none | trim }}
{{ lines | indent }}|{{ lines | indent(2, true) }}|{{ lines | indent(2, blank=true) }}|{{ lines | indent(width='> ', first=true) }}|{{ '' | indent }}|{{ 'a\\r\\nb\\u2028c' | indent(1) }}|{{ 'a\\n' | indent }}
{{ 5 | indent }}
{{ s | replace('l', 'L') }}{{ s | replace('l', 'L', 1) }}{{ s | replace('', '-') }}{{ 111 | replace(1, 2) }}{{ s | replace('o', '', count=1) }}
{{ missing | default('x') }}{{ none | default('x') }}{{ '' | default('x', true) }}{{ 0 | d(5, boolean=true) }}{{ missing | default }}{{ d.z | default(d.b) }}{{ missing | default([]) }}{{ f | default(true) }}
{{ xs | first }}{{ xs | last }}{{ 'abc' | first }}{{ 'abc' | last }}{{ nothing | first }}{{ nothing | last }}{{ d | first }}{{ d.values() | last }}{{ range(4) | last }}
{{ xs | sort }}{{ xs | sort(true) }}{{ words | sort }}{{ words | sort(case_sensitive=true) }}{{ people | sort(attribute='age') | map(attribute='name') | list }}{{ people | sort(attribute='age,name', reverse=true) | map(attribute='name') | list }}{{ 'hello' | sort }}
{{ [1, 'a'] | sort }}
{{ words | unique | list }}{{ words | unique(true) | list }}{{ people | unique(attribute='age') | map(attribute='name') | join }}{{ [1, 1.0, true, 2] | unique | list }}
{{ xs | min }}{{ xs | max }}{{ words | min }}{{ words | max }}{{ nothing | max }}{{ people | max(attribute='age') }}{{ words | max(case_sensitive=true) }}
{{ xs | sum }}{{ people | sum(attribute='age') }}{{ [1, 2.5] | sum(start=1) }}{{ nothing | sum }}{{ [[1], [2]] | sum(start=[]) }}
{{ ['a'] | sum }}
{{ xs | reverse | list }}{{ 'abc' | reverse }}{{ xs | list }}{{ 'abc' | list }}{{ d | list }}{{ missing | list }}{{ range(3) | list }}{{ xs | list | length }}
{{ people | map(attribute='name') | list }}{{ people | map(attribute='city', default='?') | list }}{{ words | map('upper') | join(',') }}{{ words | map('replace', 'p', 'q') | list }}{{ none | map('x') | list }}{{ xs | map('string') | list }}
{{ people | map(attribute='city.n.x') | list }}
{{ xs | map('nope') | list }}
{{ xs | map() | list }}
{{ xs | select('odd') | list }}{{ xs | reject('odd') | list }}{{ [0, 1, '', 'a'] | select | list }}{{ xs | select('>', 1) | list }}{{ xs | select('in', [1, 3]) | list }}{{ [0, 1] | reject | list }}{{ mixed | select('string') | list }}
{{ people | selectattr('age', 'equalto', 31) | map(attribute='name') | list }}{{ people | selectattr('city') | list | length }}{{ people | rejectattr('city') | list | length }}{{ people | selectattr('city', 'defined') | list | length }}{{ people | selectattr('city.n', 'eq', 'Oslo') | list | length if 0 }}{{ messages | selectattr('role', '==', 'user') | map(attribute='content') | list }}{{ people | rejectattr('age', 'gt', 30) | list }}
{{ people | selectattr('name', 'nope') | list }}
{{ people | groupby('age') }}{% for age, ps in people | groupby('age') %}{{ age }}:{{ ps | map(attribute='name') | join('+') }};{% endfor %}{{ people | groupby('city', default='x') | length if 0 }}
{{ plain | dictsort }}{{ d | dictsort }}{{ d | dictsort(true) }}{{ plain | dictsort(by='value', reverse=true) }}{{ plain | dictsort(false, 'value') }}{{ plain | items | list }}{{ missing | items | list }}
{{ xs | items | list }}
{{ plain | dictsort(by='x') }}
{{ xs | batch(2) | list }}{{ xs | batch(2, 0) | list }}{{ range(7) | slice(3) | list }}{{ range(7) | slice(3, 'x') | list }}{{ nothing | batch(3, 1) | list }}
{{ 5 | string + 'a' }}{{ none | string }}{{ xs | string | length }}{{ pi | string }}
{{ '42' | int }}{{ ' 42 ' | int }}{{ '42.9' | int }}{{ 'x' | int }}{{ 'x' | int(5) }}{{ 3.9 | int }}{{ -3.9 | int }}{{ true | int }}{{ none | int }}{{ '0x1F' | int(base=16) }}{{ '101' | int(0, 2) }}{{ '1_000' | int }}{{ '1e3' | int }}{{ [] | int }}{{ 'zz' | int(base=36) }}{{ '99999999999999999999' | int }}{{ 'inf' | int }}
{{ '4.5' | float }}{{ 'x' | float }}{{ 'x' | float(1.5) }}{{ 3 | float }}{{ '1e5' | float }}{{ none | float }}{{ 'inf' | float }}{{ '-nan' | float }}
{{ 42.55 | round }}{{ 42.55 | round(1) }}{{ 42.55 | round(1, 'floor') }}{{ 42.51 | round(1, 'ceil') }}{{ 2.5 | round }}{{ 3.5 | round }}{{ -2.5 | round }}{{ 7 | round }}{{ 1234 | round(-2) }}{{ 2.675 | round(2) }}{{ 1e300 | round(2) }}{{ 5 | round(method='floor') }}{{ 2.5 | round | int }}
{{ 'x' | round }}
{{ -5 | abs }}{{ -5.5 | abs }}{{ true | abs }}{{ (-5) | abs }}
{{ 'a' | abs }}
{{ html | e }}{{ html | escape }}{{ html | safe }}{{ html | e | e }}{{ html | forceescape }}{{ 5 | e }}{{ (html | safe) + html }}{{ html + (html | safe) }}{{ (html | e) ~ '<' }}{{ [html | safe] }}
{{ ('<b>' | safe) % 1 if 0 }}{{ ('<%s>' | safe) % html }}{{ ('<' | safe) * 2 + '>' }}{{ ('a,b' | safe).split(',') }}{{ ('<' | safe).join(['>', '&']) }}{{ ('<x' | safe).replace('x', '>') }}{{ '<x' | safe | replace('x', '>') }}{{ ('<x' | safe)[1:] + '<' }}{{ ('<{}' | safe).format('>') }}{{ '<' | safe | upper + '<' }}
{{ s | truncate(5) }}{{ 'foo bar baz qux' | truncate(9) }}{{ 'foo bar baz qux' | truncate(9, true) }}{{ 'foo bar baz qux' | truncate(11) }}{{ 'foo bar baz qux' | truncate(11, false, '...', 0) }}{{ 'foo bar baz qux' | truncate(length=10, end='…', leeway=1) }}
{{ 'ab' | center(6) }}|{{ 'abc' | center(6) }}|{{ 'ab' | center(5) }}|{{ 'a' | center }}|
{{ 'a b_c d-é 1' | wordcount }}{{ 'a b&c/ü?=~' | urlencode }}{{ {'a b': 'c/d', 'e': 1} | urlencode }}{{ [('x', 'y z')] | urlencode }}
{{ 1 | filesizeformat }}{{ 999 | filesizeformat }}{{ 1000 | filesizeformat }}{{ 1234567 | filesizeformat }}{{ 1234567 | filesizeformat(true) }}{{ '13000' | filesizeformat }}
{{ '%s-%d' | format('a', 5) }}{{ '%(x)s' | format(x=1) }}{{ '%s' | format(xs) }}{{ '%%' | format }}
{{ '%s %r %d %i %5d|%-5d|%05d|%+d|% d' % ('a', 'b', 1, 2, 3, 4, 5, 6, 7) }}
{{ '%f %.2f %8.3f|%-8.1f|%e %.3E %g %g %G %g' % (pi, pi, pi, pi, 12345.678, 0.00012, 1e20, 0.0001, 1e-10, 100000) }}
{{ '%x %X %#x %o %#o %c %c %s' % (255, 255, 255, 8, 8, 'a', 65, none) }}{{ '%5s|%-5s|%.2s' % ('ab', 'cd', 'xyz') }}{{ '%*d|%.*f' % (5, 42, 1, 2.55) }}
{{ '%s' % xs }}{{ '%s' % 5 }}{{ '%s and %s' % ('a', xs) }}{{ '%(a)s %(b)05.1f' % {'a': 1, 'b': 2} }}{{ '%d' % 3.99 }}{{ '%s' % d }}{{ 'x' % {} }}{{ '%s' % (1,) }}{{ '%d' % true }}{{ '%s' % missing if 0 }}
{{ '%d' % 'a' }}
{{ '%s %s' % 'a' }}
{{ '%s' % (1, 2) }}
{{ 'x' % 5 }}
{{ '%y' % 5 }}
{{ '%' % 5 }}
{{ 'x' % [] }}
{{ '{} {}'.format(1, 'a') }}{{ '{1}{0}'.format('a', 'b') }}{{ '{x}-{y}'.format(x=1, y=xs) }}{{ '{{}}'.format() }}{{ '{0[1]}{1[a]}{2.b}'.format(xs, {'a': 5}, d) }}{{ '{!r}'.format('a') }}
{{ '{:5}|{:<5}|{:>5}|{:^5}|{:*^7}|{:05d}|{:+d}|{:,}|{:_}'.format('a', 'b', 'c', 'd', 'e', 42, 7, 1234567, 1234567) }}
{{ '{:.2f}|{:10.3f}|{:e}|{:g}|{:%}|{:x}|{:#b}|{:o}|{:X}|{:.3}|{:.3}|{:,.2f}'.format(pi, pi, pi, pi, 0.256, 255, 5, 8, 255, 'abcdef', pi, 1234567.891) }}
{{ '{}{}{}{}'.format(none, true, 1.0, [1]) }}{{ '{:{w}}|'.format('a', w=4) }}{{ '{:<4}'.format(true) }}
{{ '{'.format() }}
{{ '{}'.format() }}
{{ '{:d}'.format('a') }}
{{ s.upper() }}{{ s.lower() }}{{ s.title() }}{{ s.capitalize() }}{{ "they're bill's" .title() }}{{ 'hello'.title().lower() }}
{{ ' a '.strip() }}|{{ ' a '.lstrip() }}|{{ ' a '.rstrip() }}|{{ 'xax'.strip('x') }}|{{ 'abcba'.lstrip('ab') }}|{{ '\\n a'.lstrip('\\n') }}|{{ 'a'.strip(none) }}
{{ 'a,b,,c'.split(',') }}{{ ' a  b c '.split() }}{{ 'a b c'.split(' ', 1) }}{{ 'a b c'.split(none, 1) }}{{ ''.split() }}{{ ''.split(',') }}{{ 'a--b'.split('--') }}{{ 'a b  c '.split(maxsplit=1) }}{{ 'abc'.split('x') }}
{{ 'a,b,c'.rsplit(',', 1) }}{{ ' a b  c '.rsplit(none, 1) }}{{ 'a,b,c'.rsplit(',') }}{{ 'aXXbXXc'.rsplit('XX', 1) }}{{ ' a b '.rsplit(none, 5) }}{{ ''.rsplit(none, 1) }}{{ 'abc'.rsplit('x', 2) }}
{{ 'a'.split('') }}
{{ 'a\\nb\\r\\nc\\n'.splitlines() }}{{ 'a\\nb\\n'.splitlines(true) }}{{ ''.splitlines() }}{{ '\\n\\n'.splitlines() }}{{ 'a\\x0bb\\x85c'.splitlines() }}
{{ s.startswith('Hell') }}{{ s.endswith('d') }}{{ s.startswith(('x', 'H')) }}{{ s.endswith(()) }}{{ s.startswith('') }}{{ s.startswith('ello', 1) }}{{ s.endswith('Hel', 0, 3) }}
{{ s.startswith(1) }}
{{ s.find('o') }}{{ s.find('o', 5) }}{{ s.find('z') }}{{ s.rfind('o') }}{{ s.index('W') }}{{ s.count('l') }}{{ s.count('') }}{{ uni.find('日') }}{{ s.find('l', -3) }}{{ s.rindex('l') }}{{ s.count('l', 5) }}
{{ s.index('z') }}
{{ s.replace('l', 'L') }}{{ s.replace('l', 'L', 2) }}{{ 'ab'.replace('', '.') }}{{ ''.replace('', 'x') }}{{ 'ab'.replace('', '.', 1) }}{{ 'aaa'.replace('aa', 'b') }}
{{ ', '.join(['a', 'b']) }}{{ ''.join('abc') }}{{ '-'.join([]) }}{{ ','.join(plain) }}
{{ ','.join([1]) }}
{{ 'a=b=c'.partition('=') }}{{ 'a=b=c'.rpartition('=') }}{{ 'abc'.partition('=') }}{{ 'abc'.rpartition('=') }}
{{ 'abc'.removeprefix('a') }}{{ 'abc'.removesuffix('c') }}{{ 'abc'.removeprefix('x') }}{{ '5'.zfill(3) }}{{ '-5'.zfill(4) }}{{ 'a'.ljust(3) }}|{{ 'a'.rjust(3, '*') }}{{ 'a'.center(4, '.') }}{{ 'ab'.center(5, '.') }}
{{ '12'.isdigit() }}{{ ''.isdigit() }}{{ 'a1'.isalnum() }}{{ 'ab'.isalpha() }}{{ ' '.isspace() }}{{ 'AB1'.isupper() }}{{ 'ab1'.islower() }}{{ '1'.isupper() }}{{ 'é'.isalpha() }}{{ '٣'.isdigit() }}{{ '½'.isnumeric() }}{{ 'a'.isascii() }}
{{ s is defined }}{{ missing is defined }}{{ missing is undefined }}{{ d.z is defined }}{{ none_ is defined }}{{ none_ is none }}{{ missing is none }}{{ none is not none }}{{ s is not defined }}
{{ s is string }}{{ n is string }}{{ xs is string }}{{ missing is string }}{{ d is mapping }}{{ xs is mapping }}{{ xs is iterable }}{{ s is iterable }}{{ n is iterable }}{{ none is iterable }}{{ missing is iterable }}{{ d.items() is iterable }}
{{ xs is sequence }}{{ s is sequence }}{{ d is sequence }}{{ n is sequence }}{{ missing is sequence }}{{ d.items() is sequence }}{{ range(3) is sequence }}{{ (1, 2) is sequence }}{{ none is sequence }}
{{ n is number }}{{ pi is number }}{{ t is number }}{{ s is number }}{{ n is integer }}{{ t is integer }}{{ pi is float }}{{ n is float }}{{ t is boolean }}{{ n is boolean }}{{ t is true }}{{ 1 is true }}{{ f is false }}{{ 0 is false }}{{ big is number }}
{{ n is odd }}{{ n is even }}{{ 6 is divisibleby 3 }}{{ 6 is divisibleby(4) }}{{ 5 is eq 5 }}{{ 5 is ne 5 }}{{ 5 is gt 4 }}{{ 5 is ge(5) }}{{ 5 is lt 4 }}{{ 5 is le 5 }}{{ 5 is equalto 5.0 }}{{ 5 is greaterthan 1 }}{{ 5 is lessthan 1 }}{{ 1 is in [1] }}{{ 1 is not in [1] }}
{{ 'a' is lower }}{{ 'A' is upper }}{{ 'aB' is lower }}{{ '1' is lower }}{{ t is sameas true }}{{ none is sameas none }}{{ xs is sameas xs }}{{ 'upper' is filter }}{{ 'nope' is filter }}{{ 'odd' is test }}{{ (html | e) is escaped }}{{ html is escaped }}
{{ range is callable }}{{ n is callable }}{{ s.upper is callable }}
{{ 5 is nope }}
{{ 's' is odd }}
{{ n is odd and s is string or f }}{{ not n is odd }}{{ n is not odd }}{{ 'x' if n is odd else 'y' }}{{ s is string == true }}
{{ xs | first is odd }}{{ xs | length is gt 2 }}{{ -5 | abs + 1 }}{{ 2 * xs | length }}{{ 'a' ~ 'b' | upper }}{{ ('a' ~ 'b') | upper }}
{{ 5 | nope }}
{{ range(3) }}{{ range(1, 4) | list }}{{ range(5, 0, -2) | list }}{{ range(1, 10, 3) }}{{ range(3)[1] }}{{ range(10)[2:4] | list }}{{ 3 in range(5) }}{{ range(0) | list }}{{ range(3) | reverse | list }}{{ range(-2) | length }}
{{ range(100001) }}
{{ range(1, 2, 0) }}
{{ range('a') }}
{{ range(1.5) }}
{{ dict(a=1, b='x') }}{{ dict({'a': 1}, b=2) }}{{ dict([('a', 1)]) }}{{ dict() }}{{ dict.fromkeys(['a', 'b'], 0) }}
{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.current }}{% set j = joiner() %}{{ j() }}a{{ j() }}b{% set j = joiner('|') %}{{ j() }}{{ j() }}
{{ raise_exception('no way') }}
{{ strftime_now('%Y-%m-%d %H:%M:%S') }}{{ strftime_now('%d %b %Y') }}{{ strftime_now('%A %B %a %j %p %I %y %% %f %-d %-m %F %T') }}
{{ d | tojson }}{{ mixed | tojson }}{{ uni | tojson }}{{ quotes | tojson }}{{ html | tojson }}{{ big | tojson }}{{ (1, 2) | tojson }}{{ pi | tojson }}{{ 1e22 | tojson }}{{ none | tojson }}{{ whole | tojson }}{{ [] | tojson }}{{ {} | tojson }}
{{ d | tojson(indent=2) }}{{ mixed | tojson(indent=4) }}{{ nothing | tojson(indent=2) }}{{ emptyd | tojson(indent=2) }}{{ xs | tojson(indent=0) }}{{ xs | tojson(indent='--') }}{{ [[], {}] | tojson(indent=1) }}
{{ d | tojson(separators=(',', ':')) }}{{ d | tojson(indent=2, separators=(',', ' : ')) }}{{ d | tojson(sort_keys=true) }}{{ uni | tojson(ensure_ascii=true) }}{{ quotes | tojson(true) }}{{ {1: 2, true: 3, none: 4, 1.5: 5} | tojson }}{{ [1.0, 'inf' | float, -0.0] | tojson }}
{{ missing | tojson }}
{{ range(3) | tojson }}
{{ d.items() | list | tojson }}
{{ d.items() | tojson }}
{{ {(1, 2): 3} | tojson }}
{{ {'b': 1, 2: 1} | tojson(sort_keys=true) }}
{{ people | map(attribute='name') | tojson }}
{% set g = xs | map('string') %}{{ g | list }}{{ g | list }}{{ g is iterable }}{{ g is sequence }}{% if g %}t{% endif %}
{{ xs | map('string') | length }}
{{ xs | map('string') | last }}
{% raw %}{{ not }} {% this %} {# c #}{% endraw %}|{%- raw -%}  x  {%- endraw -%}  |{% raw %}

a
{% endraw %}
b
a {# comment #} b {#- c -#} d {# {{ x }} {% if %} #} e
{# multi
line #}
x
  {% if t %}  
  a
  {% endif %}  
  b
  {%- if t %}

  a
  {%- endif -%}

  b
  {%+ if t +%}
a
  {%+ endif %}
b
x {%- if t -%} y {%- endif -%} z
{{- s -}}  {{ s }}  {{- n }}  {{ n -}}  .
  {{ n }}
  {{+ n }}
x	{% set a = 1 %}
	{% set b = 2 %}	y
{% for x in xs %}
  {{ x }}
{% endfor %}
{% for x in xs -%}
  {{ x }}
{%- endfor %}

end

{% if t %}a
{% endif %}


{{ '}}' }}{{ '{%' }}{{ "%}" }}{{ {'a': {'b': 1}}['a']['b'] }}{{ {'a': {}} }}{% set x = {'a': '%}'} %}{{ x }}
{ { } } { % % } {# #} } }} %} #}
{{ }}
{{ 1 + }}
{{ (1 }}
{{ 1) }}
{{ [1, 2 }}
{{ {1} }}
{{ a b }}
{{ 'x }}
{{ 1 ! 2 }}
{{ a.1b }}
{{ a. }}
{{ a[ }}
{{ is x }}
{% if %}x{% endif %}
{% if t %}x
{% endif %}
{% for %}{% endfor %}
{% for x on y %}{% endfor %}
{% for x in xs %}
{% endfor %}{% endfor %}
{% else %}
{% nope %}
{% set 1 = 2 %}
{% set true = 2 %}
{% set x %}
{% macro %}{% endmacro %}
{% macro m(a=1, b) %}{% endmacro %}
{% macro m( %}{% endmacro %}
{# unclosed
{% raw %} x
{{ "a" is "b" }}
{{ 1 if }}
{{ x is string is defined }}
{{ f(a=1, 2) }}
{{ f(**a, *b) }}
{{ |upper }}
{{ 1 | }}
{% %}
{{ s
| upper
}}{{ xs
 [0]
}}
{{ messages[0].role }}{{ messages[-1]['content'] }}{{ messages[1:] | length }}{{ messages[::-1][0].content }}
{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endfor %}
{% for m in messages %}{% if m.role == 'assistant' and '</think>' in m.content %}{{ m.content.split('</think>')[-1].lstrip('\\n') }}{{ m.content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') }}{% endif %}{% endfor %}
{%- set ns = namespace(multi=true, last=messages | length - 1) -%}{%- for m in messages[::-1] -%}{%- set index = (messages | length - 1) - loop.index0 -%}{%- if ns.multi and m.role == 'user' -%}{%- set ns.multi = false -%}{%- set ns.last = index -%}{%- endif -%}{%- endfor -%}{{ ns.last }}
{%- if messages[0]['role'] == 'system' -%}{%- set loop_messages = messages[1:] -%}{%- else -%}{%- set loop_messages = messages -%}{%- endif -%}{%- for m in loop_messages -%}{%- if (m['role'] == 'user') != (loop.index0 % 2 == 0) -%}{{ raise_exception('roles must alternate') }}{%- endif -%}{{ m.role }}{%- endfor -%}
{{ messages | map(attribute='role') | join('>') }}{{ messages | selectattr('role', 'equalto', 'user') | list | length }}{{ (messages | last).content }}{{ (messages | first)['role'] }}
{% set tools = [{'type': 'function', 'function': {'name': 'f', 'parameters': {'type': 'object', 'properties': {'x': {'type': ['string', 'null'], 'enum': ['a', 'b']}}, 'required': ['x']}}}] %}{% for tool in tools %}{{ tool | tojson }}{% for k, v in tool.function.parameters.properties | items %}{{ k }}:{{ v.type | join(' | ') if v.type is iterable and v.type is not string else v.type }}{% if v.enum %}{{ v.enum | tojson }}{% endif %}{% endfor %}{% endfor %}
"""


def cases():
    """Cases are separated by lines that begin one: a template may go on in the next lines if it is not complete."""
    block = []
    for line in CASES.strip("\n").split("\n"):
        block.append(line)
        template = "\n".join(block)
        if template.count("{%") - template.count("%}") > 0 and "'" not in template:
            continue
        yield template
        block = []


MULTILINE = [
    "{% raw %}\n\na\n{% endraw %}\nb\n", "{% raw %}a{% endraw %}\nb", "{% raw -%}\n a\n{%- endraw %}\n\nb", "{%- raw %} x {% endraw -%}\n y",
    "  {% raw %}\n  {{ x }}\n  {% endraw %}\n z", "{# a\nb #}\nx", "  {# a #}\nx\n  {#- b -#}\n  y", "{#+ a #}\nx {# b +#}\ny", "{#-#}x",
    "  {% if t %}\n  a\n  {% endif %}\n  b", "  {%+ if t %}\n  a\n  {% endif +%}\n  b", "x\n  {%- if t -%}\n\n  a\n  {%- endif %}\n\n  b\n\n",
    "{% for x in xs %}\n  {{ x }}\n{% endfor %}\n", "{% for x in xs -%}\n  {{ x }}\n{%- endfor %}\nend\n\n", "{{ n }}\n{{ n }}\n", "{{ n -}}\n {{- n }}\n\n  {{ n }}",
    "a\r\nb\r{{ n }}\r\n", "a\n", "a\n\n", "\n", "", "\n{% if t %}\n{% endif %}\n\n", "  {{ n }}\n\t{% set a = 1 %}\t\n x", "x {% if t %} \n y {% endif %} z",
    "\u00a0{% if t %}\u2003{%- endif %}\u3000x", "{% if t %}a{% endif %}\n\n\n", "{%- if t %}\n\n{{- n }}{% endif -%}\n\n q", "{% set x %}\n  a\n{% endset %}[{{ x }}]",
    "{%- macro m(x) -%}\n  {{ x }}\n{%- endmacro -%}\n<{{ m(1) }}>\n", "{% macro m(x) %}\n  {{ x }}\n{% endmacro %}\n<{{ m(1) }}>\n",
    "{% generation %}\n a\n{% endgeneration %}\nb", "{{ s\n | upper\n}}{{ xs\n [0]\n}}", "{{ 'a\nb' }}{{ 'a\r\nb' }}", "{% if t\n  and n %}\ny\n{% endif %}",
    "{% if t %}x", "{% for x in xs %}\n{% if x %}\n{% endfor %}", "{# unclosed", "{% raw %} x", "{{ 1", "{% set x %}", "{%", "{{", "{#", "x{", "x{{'a'}}{", "{{ '\\x4' }}",
    "{%- for message in messages %}\n    {%- if loop.first and messages[0]['role'] != 'system' %}\n        {{- 'S' }}\n    {%- endif %}\n    {{- '<' + message['role'] + '>' }}\n{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- 'A' }}\n{%- endif %}\n",
]


class Random:
    """Random templates of everything that an expression can hold."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def pick(self, *options):
        return self.rng.choice(options)

    def expression(self, depth):
        r = self.rng
        if depth == 0 or r.random() < 0.15:
            return self.pick("n", "neg", "pi", "t", "f", "none", "s", "empty", "spaces", "xs", "words", "nothing", "d", "plain", "missing", "1", "0", "2.5",
                             "'a'", "'b c'", "[]", "{}", "(1, 'x')", "[1, 2, 3, 4]", "people", "uni", "d.C", "d.nope", "x")
        e = lambda: self.expression(depth - 1)
        return self.pick(
            lambda: f"({e()} {self.pick('+', '-', '*', '/', '//', '%', '~')} {e()})",
            lambda: f"({e()} {self.pick('==', '!=', '<', '>', '<=', '>=', 'in', 'not in', 'and', 'or')} {e()})",
            lambda: f"({self.pick('-', 'not ')}{e()})",
            lambda: f"({e()} if {e()} else {e()})",
            lambda: f"{e()}[{self.pick('0', '-1', '1', e())}]",
            lambda: f"{e()}[{self.pick('', '1', '-2', '0')}:{self.pick('', '2', '-1', '5')}{self.pick('', ':-1', ':2', ':')}]",
            lambda: f"({e()} is {self.pick('', 'not ')}{self.pick('defined', 'none', 'string', 'mapping', 'iterable', 'sequence', 'number', 'odd', 'true', 'boolean', 'integer', 'float', 'undefined')})",
            lambda: f"{e()} | {self.pick('length', 'upper', 'trim', 'tojson', 'list', 'first', 'last', 'string', 'int', 'float', 'join', 'sort', 'reverse | list', 'unique | list', 'max', 'min', 'sum', 'abs', 'title', 'capitalize', 'round', 'dictsort', 'items | list', 'e', 'safe', 'wordcount', 'indent', 'tojson(indent=1)')}",
            lambda: f"{e()} | {self.pick('default', 'join', 'center', 'trim', 'd')}({e()})",
            lambda: f"{e()} | {self.pick('map', 'select', 'reject')}({self.pick(repr('upper'), repr('string'), repr('odd'), repr('none'), repr('length'))}) | list",
            lambda: f"{e()} | replace({e()}, {e()})",
            lambda: f"{e()}.{self.pick('upper()', 'strip()', 'split()', 'items() | list', 'keys() | list', 'get(%s)' % e(), 'split(%s)' % e(), 'startswith(%s)' % e(), 'b', 'a', 'x', 'join(%s)' % e(), 'replace(%s, %s)' % (e(), e()), 'title()', 'find(%s)' % e())}",
            lambda: f"[{e()}, {e()}]",
            lambda: f"{{'k': {e()}, {e()}: 1}}",
            lambda: f"'{self.pick('%s', '%r', '%d', '%5s', '%.1f')}' % {e()}",
            lambda: f"(({e()}),)",
        )()

    def template(self, depth=3):
        e = lambda d=depth: self.expression(self.rng.randrange(d) + 1)
        t = lambda: self.template(depth - 1) if depth > 1 else "{{ x }}"
        return self.pick(
            lambda: f"{{{{ {e()} }}}}",
            lambda: f"{{{{ {e()} }}}}|{{{{ {e()} }}}}",
            lambda: f"{{% if {e()} %}}{t()}{{% else %}}{t()}{{% endif %}}",
            lambda: f"{{% for x in {e(2)} %}}{t()}{{{{ loop.{self.pick('index', 'last', 'first', 'length', 'revindex')} }}}}{{% else %}}{t()}{{% endfor %}}",
            lambda: f"{{% set x = {e()} %}}{t()}",
            lambda: f"{{% set ns = namespace(x={e()}) %}}{{% for x in {e(2)} %}}{{% set ns.x = {e()} %}}{{% endfor %}}{{{{ ns.x }}}}{t()}",
            lambda: f"{{% macro m(x, y={e()}) %}}{t()}{{{{ y }}}}{{% endmacro %}}{{{{ m({e()}) }}}}",
            lambda: f"{{% set x %}}{t()}{{% endset %}}{{{{ x }}}}{t()}",
            lambda: f"{t()}\n  {{%- if {e()} %}}\n{t()}\n{{%- endif %}}\n{t()}",
        )()


UNSTABLE = ("generator object", " object at 0x", "<function", "<built-in", "<bound method", "reverseiterator", "<itertools", "Macro '", "dict_itemiterator", "<method", "Namespace.")


def write_cases(seed="templates", count=400, path=None):
    out = [dict(template=t, **render(t, VARIABLES)) for t in list(cases()) + MULTILINE]
    rng = Random(seed)
    while count > 0:
        t = rng.template()
        if len(t) > 600 or re.search(r"(\d|\bt|\bf|none|\)|\}|'|\])\[[^]]*:", t):  # slices of constants are folded by other rules
            continue
        got = render(t, VARIABLES)
        text = got.get("want", "")
        if any(u in text for u in UNSTABLE) or len(text) > 600 or ("error" in got and (rng.rng.random() < 0.9 or "No filter" in got["error"])):
            continue
        out.append(dict(template=t, **got))
        count -= 1
    with open(path or os.path.join(HERE, "cases.json"), "w") as f:
        f.write('{"variables": ' + json.dumps(VARIABLES) + ',\n"cases": [\n')
        f.write(",\n".join(json.dumps(c) for c in out))
        f.write("\n]}\n")
    print(len(out), "cases,", sum("error" in c for c in out), "errors")


TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "Weather of a city, \"now\" <b>&</b>.", "parameters": {
        "type": "object", "properties": {"city": {"type": "string", "description": "Name of the city"}, "unit": {"type": "string", "enum": ["C", "F"]}},
        "required": ["city"]}}},
    {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {
        "type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}, "opts": {"type": "object", "properties": {"p": {"type": ["integer", "null"]}, "xs": {"type": "array", "items": {"type": "string"}}}}},
        "required": ["a", "b"]}, "strict": True}},
]


def tool_call(name, arguments, id="call00001"):
    return {"type": "function", "id": id, "function": {"name": name, "arguments": arguments}}


def conversations():
    user = {"role": "user", "content": "What is 2 + 3? <|im_end|> é😀"}
    system = {"role": "system", "content": "You are helpful.\n"}
    answer = {"role": "assistant", "content": "It is 5."}
    thought = {"role": "assistant", "content": "<think>\nTwo and three.\n</think>\n\nIt is 5."}
    reasoned = {"role": "assistant", "reasoning_content": "Two and three.", "content": "It is 5."}
    gpt = {"role": "assistant", "thinking": "Two and three.", "reasoning_content": "Two and three.", "content": "It is 5."}
    more = {"role": "user", "content": "  And doubled?\n"}
    for add in (True, False):
        tail = {"add_generation_prompt": add}
        yield dict(messages=[user], **tail)
        yield dict(messages=[system, user], **tail)
        yield dict(messages=[system, user, answer, more], **tail)
        yield dict(messages=[user, thought, more], **tail)
        yield dict(messages=[user, reasoned, more], **tail)
        yield dict(messages=[user, gpt], **tail)
        yield dict(messages=[user], tools=TOOLS, **tail)
        yield dict(messages=[system, user], tools=TOOLS, **tail)
        for arguments in ({"city": "Rome", "unit": "C", "n": [1, 2.5, None, True]}, '{"city": "Rome"}'):
            for content in ("", "Let me see.", None):
                called = {"role": "assistant", "content": content, "tool_calls": [tool_call("get_weather", arguments), tool_call("add", arguments, "call00002")]}
                results = [{"role": "tool", "name": "get_weather", "tool_call_id": "call00001", "content": "{\"t\": 21}"},
                           {"role": "tool", "name": "add", "tool_call_id": "call00002", "content": "5"}]
                yield dict(messages=[system, user, called] + results, tools=TOOLS, **tail)
                yield dict(messages=[user, called] + results + [answer, more], tools=TOOLS, **tail)
                one = dict(called, tool_calls=called["tool_calls"][:1])
                yield dict(messages=[user, one, results[0], answer, more], tools=TOOLS, **tail)
        for switch in ({"enable_thinking": False}, {"enable_thinking": True}, {"thinking": True}, {"reasoning_effort": "high"}, {"clear_thinking": False},
                       {"model_identity": "You are Bob."}, {"builtin_tools": ["python", "browser"]}, {"date_string": "1 Jan 2026"}, {"tools_in_user_message": False},
                       {"documents": [{"title": "T", "text": "body", "contents": "body"}]}, {"custom_tools": TOOLS}, {"preserve_thinking": True}):
            yield dict(messages=[user], **tail, **switch)
            yield dict(messages=[system, user, reasoned, more], tools=TOOLS, **tail, **switch)
        yield dict(messages=[{"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "text", "text": " here"}]}], **tail)
        yield dict(messages=[{"role": "developer", "content": "Dev."}, user], **tail)
        yield dict(messages=[user, user], **tail)
        yield dict(messages=[user, answer], **tail)
        yield dict(messages=[], **tail)


def write_templates(folder):
    out, total = [], 0
    chats = [dict({"bos_token": "<BOS>", "eos_token": "<EOS>", "tools": None, "documents": None}, **c) for c in conversations()]
    for path in sorted(glob.glob(os.path.join(folder, "*.jinja"))):
        with open(path, newline="") as f:
            source = f.read()
        results = [render(source, c) for c in chats]
        total += sum("want" in r for r in results)
        out.append({"file": os.path.basename(path), "results": results})
    with open(os.path.join(folder, "expected.json"), "w") as f:
        json.dump({"conversations": chats, "templates": out}, f)
    print(len(out), "templates,", len(chats), "conversations,", total, "renderable")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if sys.argv[1:2] == ["templates"]:
        write_templates(sys.argv[2])
    elif sys.argv[1:2] == ["more"]:
        write_cases(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        write_cases()
