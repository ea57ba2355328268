//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package live

import (
	"os"
	"syscall"

	"github.com/charmbracelet/x/term"
)

// Quiet keeps the terminal from writing what is typed into the view. Interrupts
// still arrive as signals, and what was typed goes to whoever reads the terminal
// next. restore may be called more than once, from any goroutine.
func Quiet(terminal *os.File) (restore func()) {
	before, err := term.GetState(terminal.Fd())
	if err != nil {
		return func() {}
	}
	quiet := *before
	quiet.Lflag &^= syscall.ECHO
	if err := term.SetState(terminal.Fd(), &quiet); err != nil {
		return func() {}
	}
	return func() { term.SetState(terminal.Fd(), before) }
}
