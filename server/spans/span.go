package spans

import (
	"crypto/rand"
	"encoding/hex"
	"math"
	"strings"
	"time"
)

// TraceID is the id of all the spans that one cause has in all services.
type TraceID [16]byte

// SpanID is the id of a span.
type SpanID [8]byte

// Context is what a span's children know of it.
type Context struct {
	Trace   TraceID
	Span    SpanID
	Sampled bool // spans are recorded
}

// ParseTraceparent reads the header traceparent of W3C Trace Context, version 00 and
// what later ones have in common with it. ok is false for anything else.
func ParseTraceparent(header string) (c Context, ok bool) {
	// 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
	h := strings.TrimSpace(header)
	if len(h) < 55 || h[2] != '-' || h[35] != '-' || h[52] != '-' || h != strings.ToLower(h) {
		return Context{}, false
	}
	var version, flags [1]byte
	for _, field := range []struct {
		to   []byte
		from string
	}{{version[:], h[:2]}, {c.Trace[:], h[3:35]}, {c.Span[:], h[36:52]}, {flags[:], h[53:55]}} {
		if _, err := hex.Decode(field.to, []byte(field.from)); err != nil {
			return Context{}, false
		}
	}
	later := version[0] > 0 && len(h) > 55 && h[55] == '-'
	if version[0] == 0xff || len(h) > 55 && !later || c.Trace == (TraceID{}) || c.Span == (SpanID{}) {
		return Context{}, false
	}
	c.Sampled = flags[0]&1 != 0
	return c, true
}

// Traceparent is the header that tells another service of the context.
func (c Context) Traceparent() string {
	flags := "00"
	if c.Sampled {
		flags = "01"
	}
	return "00-" + hex.EncodeToString(c.Trace[:]) + "-" + hex.EncodeToString(c.Span[:]) + "-" + flags
}

// New begins a trace of its own. Of all of these a share between 0 and 1 is sampled.
func New(share float64) Context {
	c := Context{Span: newSpanID()}
	rand.Read(c.Trace[:])
	// The last 56 bits are the random ones of the standard.
	n := uint64(0)
	for _, b := range c.Trace[9:] {
		n = n<<8 | uint64(b)
	}
	c.Sampled = float64(n) < share*math.Pow(2, 56)
	return c
}

// Child is the context of a span below this one.
func (c Context) Child() Context {
	c.Span = newSpanID()
	return c
}

func newSpanID() (id SpanID) {
	rand.Read(id[:])
	return id
}

// Kind says which side of a call a span is. The numbers are those of OTLP.
type Kind int

const (
	Internal Kind = 1
	Server   Kind = 2
)

// Span is a piece of work that has ended.
type Span struct {
	Context
	Parent     SpanID // zero for none
	Name       string
	Kind       Kind
	Start, End time.Time
	Attributes []Attribute
	Error      string // why it failed, "" if it did not
}

// Attribute says something about a span. The value is a string, a bool, an int, an
// int64 or a float64.
type Attribute struct {
	Key   string
	Value any
}
