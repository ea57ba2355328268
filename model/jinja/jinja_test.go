package jinja

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// now is the time of the golden files.
func now() time.Time { return time.Date(2026, 3, 9, 8, 5, 7, 123456000, time.UTC) }

// variables are those of an object, with every string foreign.
func variables(t testing.TB, data []byte) map[string]Value {
	t.Helper()
	v, err := FromJSON(data, true)
	if err != nil {
		t.Fatal(err)
	}
	d := v.(*Dict)
	vars := map[string]Value{}
	for i, key := range d.keys {
		vars[key.(Text).s] = d.values[i]
	}
	return vars
}

func renderString(template string, vars map[string]Value) (string, error) {
	parsed, err := Parse(template)
	if err != nil {
		return "", err
	}
	text, err := parsed.Render(vars, Options{Now: now})
	return text.String(), err
}

// golden is what the generator beside the files writes: either Want or Error.
type golden struct {
	Template    string
	Want, Error string
}

func TestGolden(t *testing.T) {
	path := "testdata/cases.json"
	// More cases, from the generator with the word more.
	if more := os.Getenv("JINJA_CASES"); more != "" {
		path = more
	}
	data, err := os.ReadFile(path)
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
	if len(file.Cases) < 500 {
		t.Errorf("%d cases", len(file.Cases))
	}
	vars := variables(t, file.Variables)
	for _, c := range file.Cases {
		got, err := renderString(c.Template, vars)
		switch {
		case c.Error != "" && err == nil:
			t.Errorf("%q renders %q; jinja2: %s", c.Template, got, c.Error)
		case c.Error == "" && err != nil:
			t.Errorf("%q: %v; want %q", c.Template, err, c.Want)
		case c.Error == "" && got != c.Want:
			t.Errorf("%q renders\n%q; want\n%q", c.Template, got, c.Want)
		}
		var at *Error
		if err != nil && (!errors.As(err, &at) || at.Line < 1 || at.Construct == "") {
			t.Errorf("%q: error %v names no line or construct", c.Template, err)
		}
	}
}

// TestRealTemplates renders the templates of real checkpoints, which are not part
// of the repository.
func TestRealTemplates(t *testing.T) {
	folder := os.Getenv("DEEPPRUNE_TEMPLATES")
	if folder == "" {
		t.Skip("DEEPPRUNE_TEMPLATES names no folder of *.jinja; testdata/generate.py templates FOLDER makes what they are compared with")
	}
	data, err := os.ReadFile(filepath.Join(folder, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Conversations []json.RawMessage
		Templates     []struct {
			File    string
			Results []golden
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	equal, rendered, refused, all := 0, 0, 0, 0
	for _, template := range file.Templates {
		source, err := os.ReadFile(filepath.Join(folder, template.File))
		if err != nil {
			t.Fatal(err)
		}
		shown := 0
		for i, want := range template.Results {
			all++
			got, err := renderString(string(source), variables(t, file.Conversations[i]))
			if want.Error == "" {
				rendered++
			}
			if want.Error == "" && err == nil && got == want.Want {
				equal++
				continue
			}
			if want.Error != "" && err != nil {
				refused++
				continue
			}
			if shown++; shown > 2 {
				continue
			}
			n := 0
			for n < min(len(got), len(want.Want)) && got[n] == want.Want[n] {
				n++
			}
			from := max(0, n-60)
			t.Errorf("%s, conversation %d: %v\n%.200q; want\n%.200q %s", template.File, i, err, got[min(from, len(got)):], want.Want[min(from, len(want.Want)):], want.Error)
		}
	}
	t.Logf("%d templates: %d of %d renderings equal, %d of %d refusals refused", len(file.Templates), equal, rendered, refused, all-rendered)
}
