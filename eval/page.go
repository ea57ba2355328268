package eval

import "io"

// Page writes the report as one self-contained page.
func (r *Report) Page(w io.Writer) error { return nil }
