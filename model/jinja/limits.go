package jinja

import "fmt"

// Limits bounds what a template may take. A zero field is the default.
type Limits struct {
	Steps int // expressions evaluated, items visited; 10 million
	Bytes int // of all the strings and lists made on the way; 256 MiB
	Depth int // of nested expressions, calls and values; 2,000
}

const (
	defaultSteps = 10_000_000
	defaultBytes = 256 << 20
	defaultDepth = 2000

	maxDigits  = 400     // of an integer that int64 does not hold
	maxSource  = 1 << 20 // bytes of a template
	maxNesting = 100     // of tags and expressions in it

	// Sizes that lists and texts are charged with, in bytes.
	itemSize = 16
	pairSize = 100
	spanSize = 16
)

func (l Limits) orDefaults() Limits {
	if l.Steps == 0 {
		l.Steps = defaultSteps
	}
	if l.Bytes == 0 {
		l.Bytes = defaultBytes
	}
	if l.Depth == 0 {
		l.Depth = defaultDepth
	}
	return l
}

// step counts work that grows with n.
func (r *renderer) step(n int) {
	if r.left.Steps -= n; r.left.Steps < 0 {
		panic(failure{fmt.Errorf("%w: more than %d steps", ErrLimit, r.limits.Steps)})
	}
}

// charge counts memory before it is taken.
func (r *renderer) charge(n int) { r.chargeMany(1, n) }

// chargeMany counts many pieces of a size each. Neither is negative.
func (r *renderer) chargeMany(many, each int) {
	if each > 0 && many > r.left.Bytes/each {
		panic(failure{fmt.Errorf("%w: more than %d bytes", ErrLimit, r.limits.Bytes)})
	}
	r.left.Bytes -= many * each
}

// scan counts the work of reading n bytes.
func (r *renderer) scan(n int) { r.step(1 + n/64) }

// enter counts a level of nesting; leave ends it.
func (r *renderer) enter() {
	r.step(1)
	if r.left.Depth--; r.left.Depth < 0 {
		panic(failure{fmt.Errorf("%w: more than %d levels deep", ErrLimit, r.limits.Depth)})
	}
}

func (r *renderer) leave() { r.left.Depth++ }
