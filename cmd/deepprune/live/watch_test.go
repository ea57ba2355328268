package live

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"deepprune/engine"
)

// TestWatch runs the view against a group that ends, and one that fails: what wait
// returned comes back, whatever becomes of the events.
func TestWatch(t *testing.T) {
	broken := errors.New("broken")
	for _, failed := range []error{nil, broken} {
		b := board(8)
		events := make(chan engine.Event, 8)
		events <- engine.Event{Kind: engine.EventTokens, Trace: 3, Tokens: 1, Keeper: -1}
		close(events) // a reader that was dropped
		var out bytes.Buffer
		wait := func() (*engine.Result, error) {
			time.Sleep(time.Second / 10)
			if failed != nil {
				return nil, failed
			}
			return scripted(board(8), 1), nil
		}
		res, err := Watch(b, events, wait, &out, []string{"TERM=xterm"})
		if !errors.Is(err, failed) || (res == nil) != (failed != nil) {
			t.Errorf("Watch returned %v, %v; want error %v", res, err, failed)
		}
	}
}

// TestScreen drives the view by hand: it draws nothing before it knows the window,
// follows its size, and its last frame is that of the result.
func TestScreen(t *testing.T) {
	s := &screen{board: board(64), start: time.Now(), last: time.Now()}
	if got := s.View().Content; got != "" {
		t.Errorf("a frame for no window: %q", got)
	}
	for _, size := range []tea.WindowSizeMsg{{Width: 120, Height: 40}, {Width: 80, Height: 24}} {
		s.Update(size)
		s.Update(redraw(time.Now()))
		lines := strings.Split(s.View().Content, "\n")
		if len(lines) > size.Height || ansi.StringWidth(lines[0]) >= size.Width {
			t.Errorf("%d lines of %d cells in %dx%d", len(lines), ansi.StringWidth(lines[0]), size.Width, size.Height)
		}
	}
	_, quit := s.Update(done{scripted(board(64), 1)})
	if _, ok := quit().(tea.QuitMsg); !ok {
		t.Error("the view goes on when the group is done")
	}
	if frame := ansi.Strip(s.View().Content); !strings.Contains(frame, "1.42 s") || !strings.Contains(frame, "answer 136") {
		t.Errorf("the last frame is not the result's:\n%s", frame)
	}
}
