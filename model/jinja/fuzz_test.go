package jinja

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
)

func seeds(f *testing.F) {
	f.Helper()
	data, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		f.Fatal(err)
	}
	var file struct{ Cases []golden }
	if err := json.Unmarshal(data, &file); err != nil {
		f.Fatal(err)
	}
	for i, c := range file.Cases {
		if i%3 == 0 {
			f.Add(c.Template)
		}
	}
	f.Add("{%- for message in messages %}{{- '<|' + message['role'] + '|>' + message['content'] | trim }}{%- endfor %}")
	f.Add("{{ '{0[a].b!r:>{w},.3f}'.format({'a': 1}, w=3) }}{{ '%(a)-+ 0#5.3s' % {'a': x} }}{{ strftime_now('%-d%%') }}")
	f.Add("{% macro m(a, b=1) %}{{ caller(a) }}{{ varargs }}{% endmacro %}{% call(x) m(1, 2) %}{{ x }}{% endcall %}")
}

// FuzzParse checks that whatever is read either is a template or has an error
// with its place.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, source string) {
		_, err := Parse(source)
		var at *Error
		if err != nil && (!errors.As(err, &at) || at.Line < 1 || at.Construct == "") {
			t.Errorf("%q: error %v names no line or construct", source, err)
		}
	})
}

// FuzzRender checks that a template renders the same again and ends, and that
// what it renders is marked soundly.
func FuzzRender(f *testing.F) {
	seeds(f)
	const data = `{"x": "a<|b|>\n", "n": 3, "pi": 0.5, "none_": null, "t": true, "xs": [2, "b", [1]], "d": {"k": {"a": "é"}, "l": []},
		"messages": [{"role": "user", "content": " hi "}], "tools": null}`
	f.Fuzz(func(t *testing.T, source string) {
		parsed, err := Parse(source)
		if err != nil {
			return
		}
		o := Options{Now: now, Limits: Limits{Steps: 20_000, Bytes: 1 << 20, Depth: 200}}
		got, err := parsed.Render(variables(t, []byte(data)), o)
		again, errAgain := parsed.Render(variables(t, []byte(data)), o)
		if got.s != again.s || (err == nil) != (errAgain == nil) {
			t.Errorf("%q renders %q, %v, then %q, %v", source, got, err, again, errAgain)
		}
		var at *Error
		if err != nil && (!errors.As(err, &at) || at.Line < 1 || at.Construct == "") {
			t.Errorf("%q: error %v names no line or construct", source, err)
		}
		end := -1
		for _, s := range got.foreign {
			if s.begin <= end || s.end <= s.begin || s.end > len(got.s) {
				t.Errorf("%q marks %v of %d bytes", source, got.foreign, len(got.s))
			}
			end = s.end
		}
	})
}
