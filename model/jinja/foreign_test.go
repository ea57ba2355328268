package jinja

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// marked writes a text with its foreign pieces in brackets.
func marked(t Text) string {
	var b strings.Builder
	for piece, foreign := range t.Pieces() {
		if foreign {
			piece = "⟦" + piece + "⟧"
		}
		b.WriteString(piece)
	}
	return b.String()
}

func TestForeignBytes(t *testing.T) {
	content := Foreign(" <b>é|x</b>\n")
	mixed := content.cut(0, 3)
	mixed.s, mixed.foreign = "own"+mixed.s+"own", []span{{3, 6}}
	list := NewDict()
	list.set(Foreign("k"), content)
	vars := map[string]Value{"c": content, "m": mixed, "d": list, "x": Foreign("x")}
	for _, test := range []struct{ template, want string }{
		{"a{{ c }}b", "a⟦ <b>é|x</b>\n⟧b"},
		{"{{ '<' + c + '>' }}", "<⟦ <b>é|x</b>\n⟧>"},
		{"{{ c ~ c }}", "⟦ <b>é|x</b>\n <b>é|x</b>\n⟧"},
		{"{{ c | trim }}|{{ c.strip() }}", "⟦<b>é|x</b>⟧|⟦<b>é|x</b>⟧"},
		{"{{ m }}{{ m[1:5] }}{{ m[::-1] }}", "own⟦ <b⟧ownwn⟦ <⟧nwo⟦b< ⟧nwo"},
		{"{{ m.split('<')[0] }}/{{ m.split('<')[1] }}", "own⟦ ⟧/⟦b⟧own"},
		{"{{ c.split('|')[-1] }}", "⟦x</b>\n⟧"},
		{"{{ c | replace('x', '<|x|>') }}", "⟦ <b>é|⟧<|x|>⟦</b>\n⟧"},
		{"{{ 'a-b' | replace('-', x) }}", "a⟦x⟧b"},
		{"{{ m | upper }}", "OWN⟦ <B⟧OWN"},
		{"{{ c | e }}", "⟦ &lt;b&gt;é|x&lt;/b&gt;\n⟧"},
		{"{{ d | tojson }}", `{"⟦k⟧": "⟦ <b>é|x</b>\n⟧"}`},
		{"{{ d }}{{ [x] }}", `{'⟦k⟧': '⟦ <b>é|x</b>\n⟧'}['⟦x⟧']`},
		{"{{ [x, 'y', x] | join(', ') }}{{ x.join(['a', 'b']) }}", "⟦x⟧, y, ⟦x⟧a⟦x⟧b"},
		{"{{ '%s=%5s' % (x, x) }}{{ '{}:{:>3}'.format(x, x) }}{{ x | center(3) }}", "⟦x⟧=    ⟦xx⟧:  ⟦x⟧ ⟦x⟧ "},
		{"{{ x % 5 if 0 }}{{ (x ~ '%s') % 'own' }}", "⟦x⟧own"},
		{"{{ m | indent(2, true) }}", "  own⟦ <b⟧own"},
		{"{{ c | indent(2, true) }}", "  ⟦ <b>é|x</b>⟧\n"},
		{"{{ c | first }}{{ m | last }}{{ m | reverse }}{{ m | list | join }}", "⟦ ⟧nnwo⟦b< ⟧nwoown⟦ <b⟧own"},
		{"{{ x * 3 }}{{ m.title() }}{{ m | title }}{{ m | capitalize }}", "⟦xxx⟧Own⟦ <B⟧ownOwn⟦ <B⟧ownOwn⟦ <b⟧own"},
		{"{% set y %}[{{ x }}]{% endset %}{{ y }}{% macro f(a) %}<{{ a }}>{% endmacro %}{{ f(x) }}{% filter upper %}a{{ x }}{% endfilter %}", "[⟦x⟧]<⟦x⟧>A⟦X⟧"},
		{"{{ x == 'x' }}{{ x in 'axb' }}{{ d['k'] == c }}{{ d.k | length }}", "TrueTrueTrue12"},
		{"{{ m.partition('<') | join('/') }}{{ m.splitlines()[0] }}{{ m | urlencode }}", "own⟦ ⟧/⟦<⟧/⟦b⟧ownown⟦ <b⟧ownown⟦%20%3Cb⟧own"},
		{"{{ m | truncate(5, true, '..', 0) }}", "own.."},
	} {
		parsed, err := Parse(test.template)
		if err != nil {
			t.Errorf("%q: %v", test.template, err)
			continue
		}
		got, err := parsed.Render(vars, Options{})
		if err != nil || marked(got) != test.want {
			t.Errorf("%q renders\n%s, %v; want\n%s", test.template, marked(got), err, test.want)
		}
	}
}

// TestForeignBytesChangeNothing renders every golden case with its strings as the
// template's own, and checks that a text never marks bytes that it has not.
func TestForeignBytesChangeNothing(t *testing.T) {
	data, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Variables json.RawMessage
		Cases     []golden
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	render := func(template *Template, foreign bool) (Text, error) {
		v, err := FromJSON(file.Variables, foreign)
		if err != nil {
			t.Fatal(err)
		}
		vars := map[string]Value{}
		for i, key := range v.(*Dict).keys {
			vars[key.(Text).s] = v.(*Dict).values[i]
		}
		return template.Render(vars, Options{Now: now})
	}
	for _, c := range file.Cases {
		template, err := Parse(c.Template)
		if err != nil {
			continue
		}
		own, ownErr := render(template, false)
		foreign, err := render(template, true)
		if own.s != foreign.s || (err == nil) != (ownErr == nil) {
			t.Errorf("%q renders %q, %v of its own, and %q, %v of others", c.Template, own, ownErr, foreign, err)
		}
		if len(own.foreign) > 0 && !strings.Contains(c.Template, "%c") {
			t.Errorf("%q marks %v, and nothing is foreign", c.Template, own.foreign)
		}
		end := -1
		for _, f := range foreign.foreign {
			if f.begin <= end || f.end <= f.begin || f.end > len(foreign.s) {
				t.Errorf("%q marks %v of %d bytes", c.Template, foreign.foreign, len(foreign.s))
			}
			end = f.end
		}
	}
}
