package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"deepprune/engine"
)

// Exit codes.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130 // what a shell gives a program that SIGINT ended
)

// usageError is a mistake in the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// usagef makes a usageError.
func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// errInterrupted ends a command that has already said all there is to say.
var errInterrupted = errors.New("interrupted")

// report writes an error as one line and gives its exit code.
func (a *app) report(err error) int {
	if err == nil {
		return 0
	}
	if errors.Is(err, errInterrupted) {
		return exitInterrupted
	}
	message := strings.TrimPrefix(oneLine(err.Error()), "deepprune: ")
	if debugging() {
		message = err.Error()
	}
	fmt.Fprintf(a.stderr, "deepprune: %s\n", message)
	var usage usageError
	if errors.As(err, &usage) || errors.Is(err, engine.ErrInvalid) {
		return exitUsage
	}
	return exitFailure
}

// debugging reports whether whoever runs the program wants to see stacks.
func debugging() bool { return os.Getenv("DEEPPRUNE_DEBUG") != "" }

// oneLine joins the lines of joined errors, and drops the stack of a step that
// panicked and what follows it.
func oneLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i := range lines {
		if strings.HasPrefix(lines[i], "goroutine ") {
			lines = lines[:i]
			break
		}
	}
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "; ")
}
