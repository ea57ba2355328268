//go:build cuda

package cuda

import (
	"encoding/binary"
	"fmt"

	"deepprune/kernels"
	"deepprune/kernels/cuda/driver"
)

// experts are the matrices of a linear layer, and a table of their addresses.
type experts struct {
	matrices []*matrix
	table    driver.Pointer
}

func (e *experts) Count() int { return len(e.matrices) }
func (e *experts) Out() int   { return e.matrices[0].out }
func (e *experts) In() int    { return e.matrices[0].in }

func (e *experts) Bytes() int64 {
	bytes := int64(8 * len(e.matrices))
	for _, m := range e.matrices {
		bytes += m.Bytes()
	}
	return bytes
}

func (d *device) NewExperts(matrices []kernels.Matrix) (kernels.Experts, error) {
	if len(matrices) == 0 {
		return nil, fmt.Errorf("cuda: no experts")
	}
	e := &experts{}
	var table []byte
	for i, w := range matrices {
		m := w.(*matrix)
		if i > 0 && (m.out != e.Out() || m.in != e.In() || m.format != e.matrices[0].format) {
			return nil, fmt.Errorf("cuda: expert %d is %dx%d in %v, expert 0 %dx%d in %v", i, m.out, m.in, m.format, e.Out(), e.In(), e.matrices[0].format)
		}
		e.matrices = append(e.matrices, m)
		table = binary.LittleEndian.AppendUint64(table, uint64(m.at))
	}
	var err error
	if e.table, err = d.allocate(int64(len(table))); err != nil {
		return nil, err
	}
	d.copyIn(e.table, table)
	return e, d.ctx.Err()
}

func (d *device) ExpertLinear(dst, x kernels.Tensor, w kernels.Experts, bias kernels.Tensor, r kernels.Routing) {
	to, from, e, routes := dst.(*tensor), x.(*tensor), w.(*experts), r.(*routing)
	if e.Count() != routes.experts || from.cols != e.In() || to.cols != e.Out() {
		mismatch("expert linear: %d columns by %d experts of %dx%d into %d columns", from.cols, e.Count(), e.Out(), e.In(), to.cols)
	}
	to.must("expert linear", r.Entries())
	from.must("expert linear", r.Entries())
	if bias != nil && (bias.Cols() != e.Out() || bias.Rows() != e.Count()) {
		mismatch("expert linear: biases %dx%d of %d experts with %d outputs", bias.Rows(), bias.Cols(), e.Count(), e.Out())
	}
	d.multiply(product{dst: to.at, x: from.at, weights: e.table, w: e.matrices[0], bias: pointer(bias),
		rows: r.Entries(), offsets: routes.offsets, experts: e.Count()})
}
