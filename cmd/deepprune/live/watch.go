package live

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"deepprune/engine"
)

// framesPerSecond is how often the screen is redrawn. Drawing shares the cores
// with the engine, so it is no more than the eye needs.
const framesPerSecond = 30

// Watch shows the board on a terminal while the group runs, and leaves its last
// frame there. It returns what wait returns, which must come back when the group
// is done; events may end before that. The terminal's input is left alone, so an
// interrupt arrives as a signal.
func Watch(b *Board, events <-chan engine.Event, wait func() (*engine.Result, error), out io.Writer, env []string) (*engine.Result, error) {
	s := &screen{board: b, start: time.Now()}
	s.last = s.start
	p := tea.NewProgram(s,
		tea.WithInput(nil), tea.WithOutput(out), tea.WithEnvironment(env),
		tea.WithFPS(framesPerSecond), tea.WithoutSignalHandler())
	go func() {
		for ev := range events {
			s.mu.Lock()
			b.Apply(ev)
			s.mu.Unlock()
		}
	}()
	var res *engine.Result
	var failed error
	waited := make(chan struct{})
	go func() {
		defer close(waited)
		res, failed = wait()
		p.Send(done{res})
	}()
	_, err := p.Run()
	<-waited
	if err != nil {
		err = fmt.Errorf("live view: %w", err)
	}
	return res, errors.Join(failed, err)
}

// screen is the board on a terminal.
type screen struct {
	mu            sync.Mutex // of board, which the event reader writes
	board         *Board
	start, last   time.Time
	width, height int
}

// Messages of the program, beside the terminal's own.
type (
	redraw time.Time
	done   struct{ res *engine.Result }
)

func nextFrame() tea.Cmd {
	return tea.Tick(time.Second/framesPerSecond, func(t time.Time) tea.Msg { return redraw(t) })
}

func (s *screen) Init() tea.Cmd { return nextFrame() }

func (s *screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		s.width, s.height = msg.Width, msg.Height
	case redraw:
		now := time.Time(msg)
		s.board.Elapsed = now.Sub(s.start)
		s.board.Ease(now.Sub(s.last))
		s.last = now
		return s, nextFrame()
	case done:
		if msg.res != nil {
			s.board.Finish(msg.res)
		}
		return s, tea.Quit
	}
	return s, nil
}

func (s *screen) View() tea.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	frame := s.board.Frame(s.width, s.height-1)
	if frame == "" {
		return tea.NewView("")
	}
	// The cursor rests on a line of its own, which the program's end erases.
	return tea.NewView(frame + "\n")
}
