package jinja

import (
	"errors"
	"strings"
	"testing"
)

// TestHostileTemplates makes sure that whatever a template asks for, it gets an
// error, and soon: the test would take minutes and the machine's memory otherwise.
func TestHostileTemplates(t *testing.T) {
	nested := func(open, middle, end string, n int) string {
		return strings.Repeat(open, n) + middle + strings.Repeat(end, n)
	}
	doubling := "{% set ns = namespace(x='ab') %}{% for i in range(100) %}{% set ns.x = "
	for _, test := range []struct{ name, template string }{
		{"nested loops", strings.Repeat("{% for i in range(100000) %}", 5) + "x" + strings.Repeat("{% endfor %}", 5)},
		{"nested empty loops", strings.Repeat("{% for i in range(100000) %}", 5) + strings.Repeat("{% endfor %}", 5)},
		{"string times number", "{{ 'a' * 1000000000 }}"},
		{"string times string", "{{ ('a' * 1000000) * 1000000 }}"},
		{"list times number", "{{ [1] * 10000000000 }}"},
		{"empty list times number", "{{ ([] * 9223372036854775807) | length + 'x' }}"},
		{"power", "{{ 9 ** 9 ** 9 }}"},
		{"doubling +", doubling + "ns.x + ns.x %}{% endfor %}"},
		{"doubling ~", doubling + "ns.x ~ ns.x %}{% endfor %}"},
		{"doubling list", doubling + "[ns.x, ns.x] %}{% endfor %}{{ ns.x }}"},
		{"doubling tuple key", doubling + "(ns.x, ns.x) %}{% endfor %}{{ {ns.x: 1} }}"},
		{"doubling looked up", doubling + "(ns.x, ns.x) %}{% endfor %}{{ {}[ns.x] }}"},
		{"doubling compared", doubling + "[ns.x, ns.x] %}{% set y = [ns.x] %}{% endfor %}" +
			"{% set ms = namespace(x='ab') %}{% for i in range(100) %}{% set ms.x = [ms.x, ms.x] %}{% endfor %}{{ ns.x == ms.x }}"},
		{"doubling JSON", doubling + "[ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}"},
		{"deep list", "{% set ns = namespace(x=1) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}"},
		{"deep key", "{% set ns = namespace(x=1) %}{% for i in range(100000) %}{% set ns.x = (ns.x,) %}{% endfor %}{{ {ns.x: 1} }}"},
		{"itself", "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}"},
		{"endless recursion", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"},
		{"endless branching", "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}"},
		{"branching macros", "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}"},
		{"endless caller", "{% macro m() %}{{ caller() }}{% endmacro %}{% macro n() %}{% call m() %}{{ n() }}{% endcall %}{% endmacro %}{{ n() }}"},
		{"endless loop in itself", "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}"},
		{"width of %", "{{ '%1000000000d' % 1 }}"},
		{"precision of %", "{{ '%.1000000000f' % 1.5 }}"},
		{"precision of %d", "{{ '%.1000000000d' % 1 }}"},
		{"width of format", "{{ '{:1000000000}'.format(1) }}"},
		{"precision of format", "{{ '{:.1000000000e}'.format(1.5) }}"},
		{"center", "{{ 'a' | center(1000000000) }}"},
		{"ljust", "{{ 'a'.ljust(100000000000) }}"},
		{"zfill", "{{ 'a'.zfill(1000000000) }}"},
		{"indent", "{{ ('\n' * 100000) | indent(100000, blank=true) }}"},
		{"JSON indent", "{{ [1] | tojson(indent=1000000000) }}"},
		{"JSON indents", "{{ [[[[1] * 10000] * 100] * 10] | tojson(indent=10000) }}"},
		{"batch", "{{ [1] | batch(1000000000, 1) | list }}"},
		{"slice", "{{ [1] | slice(1000000000) | list }}"},
		{"replace", "{{ ('a' * 100000) | replace('a', 'b' * 100000) }}"},
		{"join", "{{ range(100000) | join('x' * 100000) }}"},
		{"split", "{{ range(100000) | map('string') | join(',') | replace(',', ',' * 10000) }}"},
		{"big range", "{{ range(1000000000) | list }}"},
		{"groups of groups", "{% for i in range(100000) %}{% for g in range(100000) | groupby('x') %}{% endfor %}{% endfor %}"},
		{"sorted again", "{% for i in range(100000) %}{{ range(100000) | sort | first }}{% endfor %}"},
		{"searched again", "{% set s = 'a' * 1000000 %}{% for i in range(100000) %}{{ 'b' in s }}{% endfor %}"},
		{"compared again", "{% set s = 'a' * 1000000 %}{% set u = 'a' * 1000000 %}{% for i in range(100000) %}{{ s == u }}{% endfor %}"},
		{"hashed again", "{% set s = 'a' * 1000000 %}{% for i in range(100000) %}{{ {}[s] }}{% endfor %}"},
		{"trimmed", "{% set s = 'é' * 100000 ~ 'x' %}{% for i in range(100000) %}{{ s.strip(s) }}{% endfor %}"},
		{"many spans", "{% for i in range(100000) %}{{ (foreign ~ 'x') * 100 }}{% endfor %}"},
		{"deep parentheses", "{{ " + nested("(", "1", ")", 10000) + " }}"},
		{"deep lists", "{{ " + nested("[", "1", "]", 10000) + " }}"},
		{"deep dicts", "{{ " + nested("{1:", "1", "}", 10000) + " }}"},
		{"deep calls", "{{ " + nested("f(", "1", ")", 10000) + " }}"},
		{"deep subscripts", "{{ " + nested("a[", "1", "]", 10000) + " }}"},
		{"deep not", "{{ " + strings.Repeat("not ", 10000) + "1 }}"},
		{"deep minus", "{{ " + strings.Repeat("-", 10000) + "1 }}"},
		{"deep else", "{{ " + strings.Repeat("1 if 0 else ", 10000) + "1 }}"},
		{"deep if", nested("{% if 1 %}", "x", "{% endif %}", 10000)},
		{"deep targets", "{% set " + nested("(", "a", ",)", 10000) + " = 1 %}"},
		{"deep tests", "{{ 1 is " + strings.Repeat("in (1 is ", 10000)},
		{"deep format", "{{ '" + nested("{:", "", "}", 10000) + "'.format(1, 2, 3) }}"},
		{"long sum", "{{ 1" + strings.Repeat(" + 1", 100000) + " }}"},
		{"long chain of filters", "{{ 'a'" + strings.Repeat(" | upper", 10000) + " }}"},
		{"long chain of attributes", "{{ a" + strings.Repeat(".b", 10000) + " }}"},
		{"huge template", strings.Repeat("x", maxSource+1)},
		{"huge number", "{{ " + strings.Repeat("9", 100000) + " }}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Text{}
			parsed, err := Parse(test.template)
			if err == nil {
				// Far less than the default, for the test to take as much less time.
				got, err = parsed.Render(map[string]Value{"foreign": Foreign("f")}, Options{Limits: Limits{Steps: defaultSteps / 50, Bytes: defaultBytes / 20}})
			}
			var at *Error
			if !errors.As(err, &at) || at.Line < 1 || at.Construct == "" {
				t.Errorf("renders %.60q, %v; want an error with its place", got.String(), err)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	parsed, err := Parse("{% for i in range(1000) %}{{ i }}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		limits Limits
		want   string
	}{
		{Limits{}, ""},
		{Limits{Steps: 100}, "line 1: {{ … }}: the template takes too much: more than 100 steps"},
		{Limits{Bytes: 1000}, "line 1: {{ … }}: the template takes too much: more than 1000 bytes"},
		{Limits{Depth: 2}, "line 1: {% for %}: the template takes too much: more than 2 levels deep"},
	} {
		_, err := parsed.Render(nil, Options{Limits: test.limits})
		if got := errors.Is(err, ErrLimit); got != (test.want != "") || got && err.Error() != test.want && test.limits.Steps == 0 {
			t.Errorf("%+v: %v; want %s", test.limits, err, test.want)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, test := range []struct{ template, want string }{
		{"a\n{{ x.y.z }}", `line 2: .z: a dict has no "y"`},
		{"\n\n{% for x in 5 %}\n{% endfor %}", "line 3: {% for %}: a int cannot be iterated over"},
		{"{% if t %}\n{{ 1 +\n 'a' }}{% endif %}", "line 2: operator +: + cannot stand between a int and a str"},
		{"{{ 'a' | nope }}", `line 1: filter nope: there is no filter "nope"`},
		{"{{ 1 is nope }}", `line 1: test nope: there is no test "nope"`},
		{"{% macro m() %}\n{{ raise_exception('no') }}{% endmacro %}{{ m() }}", "line 2: call of raise_exception: no"},
		{"x\n{% nope %}", "line 2: {% nope %}: there is no such tag, or it closes nothing"},
		{"{% if t %}\nx", "line 1: {% if %}: it is not closed by elif, else, endif"},
		{"\n{{ 1", "line 2: {{: }} is missing"},
		{"{% include 'x' %}", "line 1: {% include %}: the tag is not supported"},
		{"{{ 'a'.ljust(3, 1) }}", "line 1: call of ljust: an argument is a int; want a str"},
		{"{{ 1 | round(method=1) }}", "line 1: filter round: an argument is a int; want a str"},
		{"{{ (1, 2) | tojson(indent=[]) }}", "line 1: filter tojson: argument 2 is a list; want an int"},
	} {
		vars := map[string]Value{"x": NewDict(), "t": true}
		_, err := renderString(test.template, vars)
		if err == nil || err.Error() != test.want {
			t.Errorf("%q: %v; want %s", test.template, err, test.want)
		}
		if got, want := errors.Is(err, ErrRaised), strings.Contains(test.template, "raise"); got != want {
			t.Errorf("%q: ErrRaised: %v; want %v", test.template, got, want)
		}
	}
}
