package live

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"deepprune/engine"
	"deepprune/prune"
)

// TestBoardCounts compares the counts folded from events with those of the script.
func TestBoardCounts(t *testing.T) {
	b := board(64)
	if c := b.Counts(); c.Waiting != 64 || c.Tokens != 0 {
		t.Errorf("counts %+v of a group that has not begun", c)
	}
	scripted(b, 0.5)
	c := b.Counts()
	if c.Running+c.Pruned != 64 || c.Pruned < 40 || c.Pairs != 128 || c.Reclaimed != 3*c.Pruned {
		t.Errorf("counts %+v half way", c)
	}
	if c.Saved <= 0 || c.PeakBytes <= c.Bytes {
		t.Errorf("%d tokens saved, %d bytes in use of a peak of %d", c.Saved, c.Bytes, c.PeakBytes)
	}
	res := scripted(b, 1)
	sum := 0
	for _, trace := range res.Traces {
		sum += trace.Tokens
	}
	c = b.Counts()
	if c.Running+c.Held+c.Waiting != 0 || c.Pruned+c.Finished != 64 || c.Tokens != sum {
		t.Errorf("counts %+v at the end; want %d tokens", c, sum)
	}
}

// TestBoardWithoutEvents: the result alone makes the last frame, so events may be
// lost.
func TestBoardWithoutEvents(t *testing.T) {
	seen := board(64)
	res := scripted(seen, 1)
	blind := board(64)
	blind.Finish(res)
	a, b := seen.Counts(), blind.Counts()
	if a.Tokens != b.Tokens || a.Pruned != b.Pruned || a.Finished != b.Finished || a.Saved != b.Saved {
		t.Errorf("counts %+v with events, %+v without", a, b)
	}
}

// TestBoardIgnoresNonsense: events of traces that do not exist, in any order, with
// keepers out of range, neither panic nor count.
func TestBoardIgnoresNonsense(t *testing.T) {
	b := board(4)
	for kind := engine.EventSubmitted; kind <= engine.EventDone+1; kind++ {
		for _, trace := range []int32{-1, 0, 3, 4, 1 << 30} {
			for _, keeper := range []int32{-1, 0, 3, 4, 1 << 30} {
				b.Apply(engine.Event{Kind: kind, Trace: trace, Keeper: keeper, Score: 0.9, State: 200})
				b.Frame(80, 24)
			}
		}
	}
	// Keepers that point at each other have some colour.
	b.Finish(&engine.Result{Clusters: []engine.Cluster{{Keeper: 0, Members: []int{1}}, {Keeper: 1, Members: []int{0, 9}}}})
	b.Frame(80, 24)
}

// TestHues: a cluster has one colour, clusters whose keepers agree have one too,
// and different answers have different ones.
func TestHues(t *testing.T) {
	b := board(6)
	apply := func(kind engine.EventKind, trace, keeper int32, score float32) {
		b.Apply(engine.Event{Kind: kind, Trace: trace, Keeper: keeper, Score: score})
	}
	if b.hue(0) != -1 {
		t.Errorf("hue %d of a trace without a cluster", b.hue(0))
	}
	apply(engine.EventResumed, 0, -1, 0)
	apply(engine.EventJudged, 1, 0, 0.2)
	apply(engine.EventResumed, 1, -1, 0)
	apply(engine.EventJudged, 2, 0, 0.6)
	apply(engine.EventJudged, 2, 1, 0.9)
	apply(engine.EventPruned, 3, 0, 0.9)
	apply(engine.EventPruned, 4, -1, 0)
	for i, want := range []int{0, 1, 1, 0, -1, -1} {
		if got := b.hue(i); got != want {
			t.Errorf("trace %d has hue %d; want %d", i, got, want)
		}
	}
	b.lanes[0].answer = "136"
	b.lanes[1].answer = "136"
	b.lanes[2].answer = "9" // of a member that disagrees with its keeper
	if b.hue(0) != 0 || b.hue(1) != 0 || b.hue(3) != 0 {
		t.Errorf("hues %d, %d, %d of traces with one answer; want 0", b.hue(0), b.hue(1), b.hue(3))
	}
	if b.hue(2) == 0 || b.hue(2) != b.Hue("9") || b.Hue("136") != 0 || b.Hue("other") != -1 {
		t.Errorf("hue %d of another answer, which is %d", b.hue(2), b.Hue("9"))
	}
}

// TestEase: the scale follows the longest trace, rests when it is long enough, and
// ends at it.
func TestEase(t *testing.T) {
	b := board(2)
	for range 100 {
		b.Ease(time.Second / 30)
	}
	if b.scale != firstScale {
		t.Errorf("scale %v of an empty board; want %v", b.scale, float64(firstScale))
	}
	b.Apply(engine.Event{Kind: engine.EventTokens, Tokens: 1000})
	for range 200 {
		before := b.scale
		b.Ease(time.Second / 30)
		if b.scale < before {
			t.Fatalf("the scale shrinks from %v to %v", before, b.scale)
		}
	}
	if b.scale < 1000 || b.scale > 1600 {
		t.Errorf("scale %v for 1000 tokens", b.scale)
	}
	b.Finish(&engine.Result{Traces: []engine.TraceResult{{Index: 1, State: prune.Finished, Tokens: 900}}})
	if b.scale != 1000 {
		t.Errorf("scale %v at the end; want 1000", b.scale)
	}
}

func TestMeterScale(t *testing.T) {
	for _, c := range []struct{ peak, capacity, want int64 }{
		{0, 256 << 20, 1 << 20}, {1 << 20, 256 << 20, 3 << 19}, {15 << 20, 256 << 20, 24 << 20},
		{250 << 20, 256 << 20, 256 << 20}, {300 << 20, 256 << 20, 300 << 20}, {5 << 20, 0, 6 << 20},
	} {
		if got := meterScale(c.peak, c.capacity); got != c.want {
			t.Errorf("meterScale(%d, %d) = %d; want %d", c.peak, c.capacity, got, c.want)
		}
	}
}

// TestBoardAfterFinish: events that were still on their way when the group was done
// do not undo the result.
func TestBoardAfterFinish(t *testing.T) {
	b := board(64)
	scripted(b, 1)
	want := b.Counts()
	for i := range int32(64) {
		b.Apply(engine.Event{Kind: engine.EventTokens, Trace: i, Tokens: 7, Keeper: -1})
		b.Apply(engine.Event{Kind: engine.EventPruned, Trace: i, Tokens: 9, Keeper: 0, Blocks: 1})
	}
	if got := b.Counts(); got != want {
		t.Errorf("counts %+v; want those of the result, %+v", got, want)
	}
}

// TestSaid: the words under a bar are the last ones, however long the text, and
// they move up line by line as it grows.
func TestSaid(t *testing.T) {
	b := board(2)
	b.Text = func(ids []int32) string {
		var text strings.Builder
		for _, id := range ids {
			fmt.Fprintf(&text, "w%05d ", id)
		}
		return text.String()
	}
	g := arrange(2, 100, 16, true)
	moved := 0
	var before []string
	const tokens, step = 50 * saidTokens, saidTokens / 2
	for n := range tokens {
		b.lanes[1].ids = append(b.lanes[1].ids, int32(n))
		if n < saidTokens+step-60 || n > saidTokens+step+60 && n < tokens-1 {
			continue // slow, and the same
		}
		lines := b.said(1, g)
		if last := lines[len(lines)-1]; !strings.HasSuffix(last, fmt.Sprintf("w%05d", n)) {
			t.Fatalf("after %d tokens the last line is %q", n+1, last)
		}
		if before != nil && !strings.HasPrefix(lines[0], before[0]) && lines[0] != before[1] {
			moved++
		}
		before = lines
	}
	if moved > 2 { // once at the step, once on the way to the last
		t.Errorf("lines began elsewhere %d times; want at most 2", moved)
	}
}
