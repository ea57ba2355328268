package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// maxConfig bounds a configuration file, in bytes.
const maxConfig = 1 << 20

// environmentPrefix begins the names of variables that set flags.
const environmentPrefix = "DEEPPRUNE_"

// notSettings are flags that say what to do, not how.
var notSettings = []string{"config", "print-config", "help"}

// settings fills the flags that the command line leaves out, from the environment
// and, where that leaves them out too, from a file. Both know them by the names that
// the command line does.
type settings struct {
	flags   *pflag.FlagSet
	env     []string
	origins map[string]string // flag → where its value is from; none for a default
}

// variable is the name of the environment variable that sets a flag.
func variable(flag string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fill fills the flags; file is "" for none.
func (s *settings) fill(file string) error {
	s.origins = make(map[string]string)
	var entries []entry
	if file != "" {
		var err error
		if entries, err = readConfig(file); err != nil {
			return usageError{err}
		}
	}
	for _, e := range entries {
		if f := s.flags.Lookup(e.name); f == nil || slices.Contains(notSettings, e.name) {
			return usagef("%s:%d: %s is not a setting (see deepprune serve --help)", file, e.line, printable(e.name))
		}
	}
	var err error
	s.flags.VisitAll(func(f *pflag.Flag) {
		if err != nil || slices.Contains(notSettings, f.Name) {
			return
		}
		if f.Changed {
			s.origins[f.Name] = "command line"
			return
		}
		name := variable(f.Name)
		if value := lookup(s.env, name); value != "" {
			s.origins[f.Name] = "environment, " + name
			if e := s.flags.Set(f.Name, value); e != nil {
				err = usagef("environment: %s: %w", name, e)
			}
			return
		}
		if i := slices.IndexFunc(entries, func(e entry) bool { return e.name == f.Name }); i >= 0 {
			e := &entries[i]
			s.origins[f.Name] = fmt.Sprintf("%s:%d", file, e.line)
			if e := e.set(s.flags, f); e != nil {
				err = usagef("%s: %w", s.origins[f.Name], e)
			}
		}
	})
	return err
}

// lookup finds a variable; one that is empty is as good as none.
func lookup(env []string, name string) string {
	for _, v := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// entry is a line of a configuration file.
type entry struct {
	name   string
	line   int
	list   bool
	values []string
}

func (e *entry) set(flags *pflag.FlagSet, f *pflag.Flag) error {
	if !e.list {
		return flags.Set(f.Name, e.values[0])
	}
	list, ok := f.Value.(pflag.SliceValue)
	if !ok {
		return fmt.Errorf("%s is one value, not a list", f.Name)
	}
	if err := list.Replace(e.values); err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	f.Changed = true
	return nil
}

// readConfig reads a configuration file.
func readConfig(name string) ([]entry, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, named("--config", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxConfig+1))
	if err != nil {
		return nil, named("--config", err)
	}
	if len(text) > maxConfig {
		return nil, fmt.Errorf("%s: the file is larger than %d bytes", name, maxConfig)
	}
	entries, err := parseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", name, err)
	}
	return entries, nil
}

// parseConfig reads a YAML document that maps names to values or to lists of them.
// Errors begin with the line, if one is to blame.
func parseConfig(text []byte) ([]entry, error) {
	var doc, more yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(text))
	err := documents.Decode(&doc)
	if err == io.EOF || err == nil && doc.Content[0].Tag == "!!null" {
		return nil, nil // nothing but comments
	}
	if err != nil {
		return nil, fmt.Errorf(" %w", err)
	}
	if err := documents.Decode(&more); err != io.EOF {
		return nil, errors.New(" there is more than one document in it")
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%d: want lines of the form name: value", root.Line)
	}
	var entries []entry
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		e := entry{name: key.Value, line: key.Line}
		if key.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("%d: a name is expected", key.Line)
		}
		if j := slices.IndexFunc(entries, func(o entry) bool { return o.name == e.name }); j >= 0 {
			return nil, fmt.Errorf("%d: %s is on line %d too", e.line, printable(e.name), entries[j].line)
		}
		items := []*yaml.Node{value}
		if e.list = value.Kind == yaml.SequenceNode; e.list {
			items = value.Content
		}
		for _, item := range items {
			if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
				return nil, fmt.Errorf("%d: %s: want a value or a list of values", item.Line, printable(e.name))
			}
			e.values = append(e.values, item.Value)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// printable is a name as it may stand in a message.
func printable(name string) string {
	const most = 60
	if len(name) > most {
		name = name[:most]
	}
	return strings.ToValidUTF8(fmt.Sprintf("%q", name), "?")
}

// print writes the settings as a configuration file that gives the same ones, and
// says where each is from.
func (s *settings) print(w io.Writer) error {
	root := &yaml.Node{Kind: yaml.MappingNode}
	s.flags.VisitAll(func(f *pflag.Flag) {
		if slices.Contains(notSettings, f.Name) || f.Hidden {
			return
		}
		key := &yaml.Node{Kind: yaml.ScalarNode, Value: f.Name}
		var value *yaml.Node
		if list, ok := f.Value.(pflag.SliceValue); ok {
			value = &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
			for _, item := range list.GetSlice() {
				value.Content = append(value.Content, quoted(item))
			}
		} else if value = quoted(f.Value.String()); f.Value.Type() != "string" {
			value = &yaml.Node{Kind: yaml.ScalarNode, Value: f.Value.String()}
		}
		value.LineComment = "default"
		if origin := s.origins[f.Name]; origin != "" {
			value.LineComment = origin
		}
		root.Content = append(root.Content, key, value)
	})
	text, err := yaml.Marshal(root)
	if err == nil {
		_, err = w.Write(text)
	}
	return named("standard output", err)
}

// quoted is a text, quoted where YAML would read something else.
func quoted(value string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(value)
	return n
}
