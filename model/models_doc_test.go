package model

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"deepprune/weights"
	"deepprune/weights/embedded"
)

// make models sets it.
var updateModels = flag.Bool("update-models", false, "write the tables of docs/models.md instead of comparing them")

const (
	modelsDoc = "../docs/models.md"
	// slack is how much more than what is written an error may be: rounding differs
	// between kernel sets.
	slack = 4
)

// family is what docs/models.md says of an architecture.
type family struct {
	checkpoints, greedy   int
	logits, hidden        float64
	bf16, bf16Reference   float64
	formats               map[string]bool
	bf16Mean, bf16RefMean float64
}

// TestModelsDoc compares docs/models.md with what is measured: errors may be up to
// slack times what is written, and all else must be as it is written.
func TestModelsDoc(t *testing.T) {
	doc, err := os.ReadFile(modelsDoc)
	if err != nil {
		t.Fatal(err)
	}
	text := string(doc)
	for name, rows := range map[string][][]string{"parity": parityTable(t), "tokenizers": tokenizerTable(t), "embedded": embeddedTable(t)} {
		begin, end := "<!-- "+name+" -->\n", "<!-- end -->"
		before, rest, found := strings.Cut(text, begin)
		old, after, ended := strings.Cut(rest, end)
		if !found || !ended {
			t.Fatalf("%s has no table between %q and %q", modelsDoc, begin, end)
		}
		if *updateModels {
			text = before + begin + tableText(rows) + end + after
		} else {
			compareTables(t, name, old, rows)
		}
	}
	if *updateModels {
		if err := os.WriteFile(modelsDoc, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// parityTable has a row for each architecture, the worst of its checkpoints.
func parityTable(t *testing.T) [][]string {
	families := make(map[string]*family)
	for _, name := range checkpointNames {
		c := openCheckpoint(t, name)
		config, err := ReadConfig(c)
		if err != nil {
			t.Fatal(err)
		}
		f := families[config.Architecture]
		if f == nil {
			f = &family{formats: make(map[string]bool)}
			families[config.Architecture] = f
		}
		p := measureParity(t, name)
		f.checkpoints++
		f.logits, f.hidden = max(f.logits, p.logits), max(f.hidden, p.hidden)
		f.bf16, f.bf16Reference = max(f.bf16, p.bf16Max), max(f.bf16Reference, p.reference.BF16.Max)
		f.bf16Mean, f.bf16RefMean = max(f.bf16Mean, p.bf16Mean), max(f.bf16RefMean, p.reference.BF16.Mean)
		if p.greedyIsReferences {
			f.greedy += len(p.greedy)
		}
		f.addFormats(t, name, c, &config)
	}
	rows := [][]string{{"architecture", "checkpoints", "logits, f32", "hidden states, f32", "greedy tokens equal",
		"logits, bf16: mean", "of the reference", "largest", "of the reference", "formats read"}}
	for _, arch := range slices.Sorted(maps.Keys(families)) {
		f := families[arch]
		rows = append(rows, []string{"`" + arch + "`", strconv.Itoa(f.checkpoints), errorText(f.logits), errorText(f.hidden),
			fmt.Sprintf("%d of %d", f.greedy, 64*f.checkpoints), errorText(f.bf16Mean), errorText(f.bf16RefMean),
			errorText(f.bf16), errorText(f.bf16Reference), strings.Join(slices.Sorted(maps.Keys(f.formats)), ", ")})
	}
	return rows
}

// addFormats adds the types of a checkpoint's tensors, and those of the GGUF file
// that was made of it.
func (f *family) addFormats(t *testing.T, name string, c *weights.Checkpoint, config *Config) {
	for dtype := range c.Parameters() {
		switch {
		case dtype == "U8" && config.Experts.MXFP4:
			f.formats["MXFP4"] = true
		default:
			f.formats[strings.TrimSuffix(strings.Replace(string(dtype), "F8_E4M3", "FP8", 1), "_E4M3")] = true
		}
	}
	files, err := filepath.Glob(filepath.Join("testdata", name+"*.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) > 0 {
		f.formats["GGUF"] = true
	}
	if len(files) > 1 {
		f.formats["split GGUF"] = true
	}
}

func tokenizerTable(t *testing.T) [][]string {
	rows := [][]string{{"pattern", "cases kept"}}
	for _, name := range []string{"deepseek3", "glm4", "gpt2", "llama3", "o200k", "qwen2"} {
		rows = append(rows, []string{name, strconv.Itoa(len(readCases(t, name)))})
	}
	return rows
}

func embeddedTable(t *testing.T) [][]string {
	rows := [][]string{{"embedded model", "logits, f32"}}
	for _, m := range []struct {
		name  string
		files fs.FS
	}{{"reasoner", embedded.Reasoner()}, {"judge", embedded.Judge()}} {
		rows = append(rows, []string{m.name, errorText(embeddedParity(t, m.name, m.files))})
	}
	return rows
}

// errorText is a number with one digit, rounded up.
func errorText(v float64) string {
	if v == 0 {
		return "0"
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	return fmt.Sprintf("%.0e", math.Ceil(v/unit-1e-9)*unit)
}

func tableText(rows [][]string) string {
	var b strings.Builder
	for i, row := range rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			b.WriteString("|" + strings.Repeat("---|", len(row)) + "\n")
		}
	}
	return b.String()
}

// compareTables compares cell by cell.
func compareTables(t *testing.T, name, written string, rows [][]string) {
	lines := strings.Split(strings.TrimSpace(written), "\n")
	want := strings.Split(strings.TrimSpace(tableText(rows)), "\n")
	if len(lines) != len(want) {
		t.Errorf("table %s has %d lines; want %d (make models)", name, len(lines), len(want))
		return
	}
	for i, line := range lines {
		got, measured := strings.Split(line, " | "), strings.Split(want[i], " | ")
		for j := range min(len(got), len(measured)) {
			a, errA := strconv.ParseFloat(strings.Trim(got[j], "| "), 64)
			b, errB := strconv.ParseFloat(strings.Trim(measured[j], "| "), 64)
			isError := strings.Contains(got[j], "e-") && errA == nil && errB == nil
			if isError && b > slack*a || !isError && got[j] != measured[j] {
				t.Errorf("table %s, line %d: %q; measured %q (make models)", name, i+1, got[j], measured[j])
			}
		}
		if len(got) != len(measured) {
			t.Errorf("table %s, line %d has %d cells; want %d", name, i+1, len(got), len(measured))
		}
	}
}
