// Command deepprune answers a question with many reasoning traces that are
// decoded together, and stops the redundant ones while they run.
//
//	deepprune solve "Mia makes 12 cookies a day for 4 days. She loses 30 of them. How many cookies does Mia have now?"
//	deepprune bench --questions questions.jsonl
//	deepprune eval --help
//	deepprune judge --help
//	deepprune info
//
// Results go to standard output, everything else to standard error. The exit code
// is 0, 1 for a failure, 2 for a mistake in the command line, or 130 after an
// interrupt.
package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program but for the process: it returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{
		stdin: stdin, stdout: stdout, stderr: stderr,
		env: os.Environ(), openScorer: openScorer, describe: describe, interrupts: interrupts, exit: os.Exit,
	}
	a.open = a.openPair
	return a.run(args)
}

// app is what the commands share: the streams, and what tests replace.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            []string
	// open loads the models that the flags name.
	open func(f *engineFlags) (pair, error)
	// openScorer loads the judge alone.
	openScorer func(f *engineFlags) (scorer, error)
	// describe tells about the device and the models that the flags name, and
	// loads none.
	describe func(f *engineFlags) (description, error)
	// interrupts delivers signals that ask the program to stop, until stop.
	interrupts func() (signals <-chan os.Signal, stop func())
	exit       func(code int)

	running bool // the command line has been read
}

func interrupts() (<-chan os.Signal, func()) {
	c := make(chan os.Signal, 2)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	return c, func() { signal.Stop(c) }
}

// run carries out a command line. A panic is a mistake in the program; it ends in
// one line as well, the stack is for those who ask for it.
func (a *app) run(args []string) (code int) {
	if _, file := a.stderr.(*os.File); !file {
		a.stderr = &lockedWriter{w: a.stderr}
	}
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(a.stderr, "deepprune: internal error: %v (set DEEPPRUNE_DEBUG=1 for the stack)\n", r)
			if debugging() {
				a.stderr.Write(debug.Stack())
			}
			code = exitFailure
		}
	}()
	return a.report(a.execute(args))
}

// lockedWriter lets several goroutines write, a line each, as they may to a file:
// progress and the answer to an interrupt come from different ones.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
