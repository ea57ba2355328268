package jinja

import (
	"errors"
	"fmt"
)

var (
	// ErrRaised is wrapped by errors of templates that call raise_exception: they
	// refuse the conversation.
	ErrRaised = errors.New("the template refuses")
	// ErrLimit is wrapped by errors of templates that pass their [Limits].
	ErrLimit = errors.New("the template takes too much")
)

// Error says where in a template something went wrong.
type Error struct {
	Line      int    // from 1
	Construct string // such as "filter join" or "{% for %}"
	Err       error
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s: %v", e.Line, e.Construct, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// place is where a construct stands.
type place struct {
	line      int
	construct string
}

// failure is what parsing and rendering panic with, as in text/template: nearly
// everything in a dynamic language can fail, and nothing in here can go on then.
type failure struct{ err error }

// fail ends parsing or rendering.
func fail(format string, args ...any) {
	panic(failure{fmt.Errorf(format, args...)})
}

// rescue turns a failure into the error of the function that defers it.
func rescue(err *error, at *place) {
	switch p := recover().(type) {
	case nil:
	case failure:
		*err = &Error{Line: at.line, Construct: at.construct, Err: p.err}
	default:
		panic(p)
	}
}

// excerpt shortens what an error quotes.
func excerpt(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	n := most
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}
