package live

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (run with -update to accept)\n got:\n%s\nwant:\n%s", path, got, want)
	}
}

// TestFrame looks at the picture itself, without colours, of 64 traces in the
// usual windows, in the middle and at the end of a run.
func TestFrame(t *testing.T) {
	for _, size := range []struct{ w, h int }{{80, 24}, {120, 40}, {200, 60}} {
		for _, share := range []float64{0.16, 0.5, 1} {
			b := board(64)
			scripted(b, share)
			for range 30 {
				b.Ease(time.Second / 30)
			}
			got := ansi.Strip(b.Frame(size.w, size.h)) + "\n"
			golden(t, fmt.Sprintf("frame_%dx%d_%.0f.txt", size.w, size.h, 100*share), got)
		}
	}
}

// TestTitle: a seed is shown as it is typed.
func TestTitle(t *testing.T) {
	b := board(8)
	b.Seed = 1<<64 - 1
	if title, _, _ := strings.Cut(ansi.Strip(b.Frame(120, 40)), "\n"); !strings.Contains(title, "seed 18446744073709551615 ") {
		t.Errorf("the title is %q; want the seed in it", title)
	}
}

// TestFrameFits draws boards of all sizes in windows of all sizes: no line is
// wider than the window, no frame higher.
func TestFrameFits(t *testing.T) {
	for _, k := range []int{1, 2, 8, 64, 100, 512} {
		for _, share := range []float64{0, 0.17, 1} {
			b := board(k)
			scripted(b, share)
			for _, w := range []int{1, 8, 9, 20, 80, 81, 120, 200} {
				for _, h := range []int{1, 3, 8, 10, 20, 24, 60} {
					lines := strings.Split(b.Frame(w, h), "\n")
					if len(lines) > h {
						t.Errorf("k=%d %dx%d: %d lines", k, w, h, len(lines))
					}
					for _, l := range lines {
						if got := ansi.StringWidth(l); got >= max(w, 2) {
							t.Fatalf("k=%d %dx%d: a line of %d cells: %q", k, w, h, got, ansi.Strip(l))
						}
					}
				}
			}
		}
	}
}

// TestAllTracesShown: every trace of 64 has its lane in an 80x24 window and more
// still in larger ones, and the form tells as much as the room allows.
func TestAllTracesShown(t *testing.T) {
	for _, c := range []struct {
		k, w, h int
		form    form
	}{
		{64, 80, 24, compact}, {64, 120, 40, wide}, {64, 200, 60, wide},
		{1, 80, 24, wide}, {16, 80, 24, wide}, {32, 80, 24, wide},
		{128, 200, 60, wide}, {512, 200, 60, compact}, {512, 80, 24, cell}, {512, 120, 40, cell},
	} {
		g := arrange(c.k, c.w-2, c.h-8, true)
		if g.shown != c.k || g.form != c.form {
			t.Errorf("k=%d in %dx%d: form %d with %d shown; want form %d with all", c.k, c.w, c.h, g.form, g.shown, c.form)
		}
		if g.lines() > c.h-8 {
			t.Errorf("k=%d in %dx%d: %d lines in %d", c.k, c.w, c.h, g.lines(), c.h-8)
		}
	}
}

func BenchmarkFrame(b *testing.B) {
	for _, size := range []struct{ w, h int }{{80, 24}, {200, 60}} {
		b.Run(fmt.Sprintf("%dx%d", size.w, size.h), func(b *testing.B) {
			board := board(64)
			scripted(board, 0.5)
			for b.Loop() {
				board.Frame(size.w, size.h)
			}
		})
	}
}
