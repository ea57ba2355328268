package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// configFlags are flags of each kind.
type configFlags struct {
	name  string
	port  int
	share float64
	after time.Duration
	room  size
	on    bool
	hosts []string
}

func newConfigFlags() (*configFlags, *pflag.FlagSet) {
	f := &configFlags{room: 1 << 20}
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	flags.String("config", "", "")
	flags.StringVar(&f.name, "name", "a", "")
	flags.IntVar(&f.port, "port", 1, "")
	flags.Float64Var(&f.share, "share", 0.5, "")
	flags.DurationVar(&f.after, "drain-after", time.Second, "")
	flags.Var(&f.room, "room", "")
	flags.BoolVar(&f.on, "on", false, "")
	flags.StringSliceVar(&f.hosts, "allowed-hosts", nil, "")
	return f, flags
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestConfigPrecedence: the command line wins over the environment, that over the
// file, that over the default.
func TestConfigPrecedence(t *testing.T) {
	file := writeConfig(t, "# a comment\nname: from file\nport: 3\ndrain-after: 3s\nallowed-hosts:\n  - x\n  - y\nroom: 2GiB\non: true\n")
	f, flags := newConfigFlags()
	if err := flags.Parse([]string{"--port", "9"}); err != nil {
		t.Fatal(err)
	}
	s := &settings{flags: flags, env: []string{"DEEPPRUNE_PORT=7", "DEEPPRUNE_DRAIN_AFTER=7s", "DEEPPRUNE_NAME=", "DEEPPRUNE_ELSE=1", "PORT=8"}}
	if err := s.fill(file); err != nil {
		t.Fatal(err)
	}
	want := configFlags{name: "from file", port: 9, share: 0.5, after: 7 * time.Second, room: 2 << 30, on: true, hosts: []string{"x", "y"}}
	if f.name != want.name || f.port != want.port || f.share != want.share || f.after != want.after || f.room != want.room || f.on != want.on ||
		strings.Join(f.hosts, ",") != "x,y" {
		t.Errorf("got %+v; want %+v", *f, want)
	}

	// What is printed is a file that gives the same settings, and says where from.
	var printed strings.Builder
	if err := s.print(&printed); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"name: from file # " + file + ":2", `port: 9 # command line`, "drain-after: 7s # environment, DEEPPRUNE_DRAIN_AFTER",
		`share: 0.5 # default`, "allowed-hosts: [x, y] # " + file + ":5",
	} {
		if !strings.Contains(printed.String(), line+"\n") {
			t.Errorf("no line %q in\n%s", line, printed.String())
		}
	}
	again, flags := newConfigFlags()
	s = &settings{flags: flags}
	if err := s.fill(writeConfig(t, printed.String())); err != nil {
		t.Fatal(err)
	}
	if again.name != f.name || again.port != f.port || again.room != f.room || again.after != f.after || strings.Join(again.hosts, ",") != "x,y" {
		t.Errorf("read again: %+v; want %+v", *again, *f)
	}
}

// TestConfigMistakes: each names its place.
func TestConfigMistakes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"name: a\nprot: 1\n", `:2: "prot" is not a setting`},
		{"config: x\n", `:1: "config" is not a setting`},
		{"name: a\n\nname: b\n", "3"},
		{"port: many\n", ":1: "},
		{"port: [1, 2]\n", ":1: port is one value"},
		{"name: {a: b}\n", ":1: "},
		{"name:\n", `:1: "name": want a value`},
		{"- a\n- b\n", "1: want lines of the form"},
		{"just text\n", "1: want lines of the form"},
		{"name: a\n b: c\n", "line"},
		{"name: &x a\nport: *x\n", "2: "},
		{"? [a]\n: b\n", "1: "},
		{"name: a\n---\nname: b\n", ""},
		{"drain-after: 5\n", "drain-after"},
	} {
		_, flags := newConfigFlags()
		file := writeConfig(t, c.text)
		err := (&settings{flags: flags}).fill(file)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%q: %v; want %q in it", c.text, err, c.want)
		}
	}
	_, flags := newConfigFlags()
	err := (&settings{flags: flags, env: []string{"DEEPPRUNE_PORT=tcp://10.0.0.1:80"}}).fill("")
	if err == nil || !strings.Contains(err.Error(), "DEEPPRUNE_PORT") {
		t.Errorf("%v; want it to name the variable", err)
	}
	for _, empty := range []string{"", "# nothing\n", "---\n", "{}\n"} {
		if err := (&settings{flags: flags}).fill(writeConfig(t, empty)); err != nil {
			t.Errorf("%q: %v", empty, err)
		}
	}
}

func FuzzConfig(f *testing.F) {
	for _, text := range []string{
		"", "name: a\nport: 3\n", "allowed-hosts: [a, b]\n", "allowed-hosts:\n- a\n- 'b'\n", "{name: a}", "a: &x [1]\nb: *x\n",
		"? a\n: b\n", "name: |\n  long\n  text\n", "\xff\xfe", "%YAML 1.2\n---\na: b\n", "a: !!int b\n", "<<: {a: b}\n", "- - - - a", "a: \"\\u0000\"\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := parseConfig(text)
		if err != nil {
			return
		}
		for _, e := range entries {
			if e.line < 1 || !e.list && len(e.values) != 1 {
				t.Errorf("%q: %+v", text, e)
			}
		}
	})
}
