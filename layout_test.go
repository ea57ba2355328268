package deepprune_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"deepprune/kernels"
	"deepprune/kvcache"
)

const module = "deepprune"

// layer says what the packages in a folder may import of ours and of others,
// beside the standard library. A rule is for the folder and those below it,
// unless one of these has its own. Tests may import anything.
type layer struct {
	folder string
	ours   []string // folders; "x/..." is x and those below it
	others []string // prefixes of import paths
	not    []string // of the standard library
	cgo    bool     // behind a build tag
	why    string
}

var layers = []layer{
	{folder: ".", why: "names the parts"},
	{
		folder: "cmd",
		ours:   []string{"cmd/...", "server/...", "eval/...", "engine/...", "prune/...", "model/...", "weights/...", "kvcache", "kernels/..."},
		others: []string{"charm.land/", "github.com/charmbracelet/", "github.com/spf13/", "go.yaml.in/yaml/"},
		why:    "the binary puts everything together; terminals, flags and the configuration file are its business alone",
	},
	{
		folder: "server",
		ours:   []string{"server/...", "engine", "engine/constrain", "prune", "model"},
		others: []string{"github.com/prometheus/client_golang/"},
		why:    "speaks HTTP to one side and groups to the other",
	},
	{
		folder: "server/spans",
		why:    "sends spans, whatever they are about",
	},
	{
		folder: "eval",
		ours:   []string{"eval/...", "engine", "prune"},
		why:    "measures what users of the engine see",
	},
	{
		folder: "engine",
		ours:   []string{"engine/...", "prune", "model", "weights", "kvcache", "kernels"}, // weights: a judge's prompt is a file of its checkpoint
		why:    "runs on any device and any checkpoint: it knows kernels.Device, not what implements it",
	},
	{
		folder: "engine/constrain",
		why:    "a language and the tokens that stay in it; knows no model",
	},
	{
		folder: "prune",
		not:    impure,
		why:    "pure: snapshots in, actions out; no goroutine, no clock, no unseeded chance",
	},
	{
		folder: "prune/prunetest",
		ours:   []string{"prune"},
		why:    "replays stored traces without an engine",
	},
	{
		folder: "model",
		ours:   []string{"model/...", "kernels", "weights"},
		others: []string{"golang.org/x/text/", "github.com/daulet/tokenizers"}, // the latter behind a tag
		why:    "one forward pass for every device, which knows the interface alone",
	},
	{
		folder: "model/jinja",
		others: []string{"golang.org/x/text/"},
		why:    "renders text, and knows no model",
	},
	{
		folder: "weights",
		ours:   []string{"weights"},
		others: []string{"golang.org/x/sys/", "github.com/x448/float16"},
		why:    "reads files that anybody may have made, for anybody",
	},
	{
		folder: "kvcache",
		not:    impure,
		why:    "bookkeeping by one goroutine, without locks and without memory of a device",
	},
	{
		folder: "kernels",
		ours:   []string{"kernels/..."},
		others: []string{"golang.org/x/sys/"},
		why:    "arithmetic knows nothing of what it is for",
	},
	{
		folder: "kernels/cuda/driver",
		others: []string{"gorgonia.org/cu"}, // behind a tag
		cgo:    true,
		why:    "the one package that calls CUDA's driver: contexts, memory, kernels",
	},
}

// impure is what a package of data in, data out has no use for.
var impure = []string{"context", "math/rand", "math/rand/v2", "net", "os", "sync", "sync/atomic", "syscall", "time", "unsafe"}

// onlyCommand is what a program that embeds the engine must not come to carry.
const onlyCommand = "weights/embedded"

// maxLines keeps a file readable in one sitting.
const maxLines = 550

// goFile is a Go file of the repository.
type goFile struct {
	path, folder string // with slashes, from the root
	syntax       *ast.File
	text         []byte
}

func (f *goFile) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

func goFiles(t *testing.T) []*goFile {
	t.Helper()
	var files []*goFile
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if path == "." {
				return nil
			}
			if name := d.Name(); name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil {
				return filepath.SkipDir // a module of its own
			}
			return nil
		case filepath.Ext(path) != ".go":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		syntax, err := parser.ParseFile(fset, path, text, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		if bytes.HasPrefix(text, []byte("//go:build ignore\n")) {
			return nil // a program for go generate
		}
		slashes := filepath.ToSlash(path)
		files = append(files, &goFile{path: slashes, folder: filepath.ToSlash(filepath.Dir(path)), syntax: syntax, text: text})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no Go files")
	}
	return files
}

func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// layerOf finds the rule for a folder: the longest that contains it.
func layerOf(folder string) *layer {
	var best *layer
	for i := range layers {
		l := &layers[i]
		if within(folder, l.folder) && (best == nil || len(l.folder) > len(best.folder)) {
			best = l
		}
	}
	return best
}

// refusal says why a folder's rule forbids an import, "" if it does not.
func (l *layer) refusal(path string) string {
	if path == module || strings.HasPrefix(path, module+"/") {
		path = strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
		if within(path, onlyCommand) && l.folder != "cmd" {
			return "only cmd carries the embedded pair"
		}
		for _, o := range l.ours {
			if below, ok := strings.CutSuffix(o, "/..."); path == o || ok && within(path, below) {
				return ""
			}
		}
		return l.why
	}
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		if path == "C" {
			if l.cgo {
				return ""
			}
			return "the default build has no cgo"
		}
		if slices.Contains(l.not, path) {
			return l.why
		}
		return ""
	}
	for _, o := range l.others {
		if strings.HasPrefix(path, o) {
			return ""
		}
	}
	return "a dependency is named in the table before it is used: " + l.why
}

func TestImportsPointDown(t *testing.T) {
	for _, f := range goFiles(t) {
		l := layerOf(f.folder)
		if l == nil {
			t.Errorf("%s: folder %s has no rule", f.path, f.folder)
			continue
		}
		if f.isTest() {
			continue
		}
		for _, spec := range f.syntax.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if why := l.refusal(path); why != "" {
				t.Errorf("%s imports %q; %s", f.path, path, why)
			}
		}
	}
}

// TestRulesBite makes sure that the table forbids what it is for.
func TestRulesBite(t *testing.T) {
	for _, c := range []struct {
		folder, path string
		ok           bool
	}{
		{"cmd/deepprune", "deepprune/weights/embedded", true},
		{"cmd/deepprune/live", "charm.land/bubbletea/v2", true},
		{"engine", "deepprune/weights/embedded", false},
		{"engine", "deepprune/kernels", true},
		{"engine", "deepprune/kernels/cpu", false},
		{"model", "deepprune/kernels/cpu", false},
		{"model", "deepprune/engine", false},
		{"model", "deepprune/weights", true},
		{"model", "deepprune/weights/embedded", false},
		{"kernels/cpu", "deepprune/kernels", true},
		{"kernels/cpu", "deepprune/model", false},
		{"kernels/cuda", "C", false},
		{"kernels/cuda", "gorgonia.org/cu", false},
		{"kernels/cuda/driver", "gorgonia.org/cu", true},
		{"kernels/cuda/driver", "C", true},
		{"kvcache", "deepprune/kernels", false},
		{"kvcache", "sync", false},
		{"prune", "deepprune/engine", false},
		{"prune", "time", false},
		{"prune", "slices", true},
		{"weights", "github.com/spf13/cobra", false},
		{"server", "deepprune/kvcache", false},
		{"engine", "C", false},
		{"engine", "deepprune", false},
		{"engine", "example.com/anything", false},
	} {
		if why := layerOf(c.folder).refusal(c.path); (why == "") != c.ok {
			t.Errorf("%s importing %q: %q; want allowed: %v", c.folder, c.path, why, c.ok)
		}
	}
}

func TestPackageDocs(t *testing.T) {
	type pkg struct{ folder, name string }
	docs := map[pkg][]string{}
	for _, f := range goFiles(t) {
		p := pkg{f.folder, f.syntax.Name.Name}
		if f.isTest() {
			continue
		}
		if _, ok := docs[p]; !ok {
			docs[p] = nil
		}
		if f.syntax.Doc == nil {
			continue
		}
		docs[p] = append(docs[p], f.path)
		want := "Package " + p.name + " "
		if p.name == "main" {
			want = "Command " + filepath.Base(p.folder) + " "
		}
		if got := f.syntax.Doc.Text(); !strings.HasPrefix(got, want) {
			t.Errorf("%s: the package comment begins with %.30q; want %q", f.path, got, want)
		}
	}
	for p, files := range docs {
		if len(files) != 1 {
			t.Errorf("package %s in %s has %d package comments, %v; want one", p.name, p.folder, len(files), files)
		}
	}
}

func TestNamesSayWhatIsInside(t *testing.T) {
	empty := []string{"base", "common", "core", "helper", "helpers", "lib", "misc", "shared", "tools", "types", "util", "utils"}
	for _, f := range goFiles(t) {
		for _, name := range []string{f.syntax.Name.Name, filepath.Base(f.folder), strings.TrimSuffix(filepath.Base(f.path), ".go")} {
			if slices.Contains(empty, name) {
				t.Errorf("%s: the name %q says nothing", f.path, name)
			}
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.isTest() || ast.IsGenerated(f.syntax) {
			continue
		}
		if n := bytes.Count(f.text, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines; want at most %d", f.path, n, maxLines)
		}
	}
}

// TestBlockSizes compares what kvcache keeps apart from kernels so that it can
// import nothing.
func TestBlockSizes(t *testing.T) {
	if kvcache.BlockSize != kernels.BlockSize {
		t.Errorf("kvcache.BlockSize = %d; want kernels.BlockSize, %d", kvcache.BlockSize, kernels.BlockSize)
	}
}
