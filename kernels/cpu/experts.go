package cpu

import (
	"fmt"
	"math"
	"slices"

	"deepprune/kernels"
)

// experts is a matrix for each expert, all of one shape.
type experts struct {
	matrices []*matrix
	bytes    int64
}

func (e *experts) Count() int   { return len(e.matrices) }
func (e *experts) Out() int     { return e.matrices[0].out }
func (e *experts) In() int      { return e.matrices[0].in }
func (e *experts) Bytes() int64 { return e.bytes }

func (d *device) NewExperts(matrices []kernels.Matrix) (kernels.Experts, error) {
	if len(matrices) == 0 {
		return nil, fmt.Errorf("cpu: no experts")
	}
	e := &experts{}
	for _, m := range matrices {
		m := m.(*matrix)
		if len(e.matrices) > 0 {
			if first := e.matrices[0]; m.out != first.out || m.in != first.in || m.format != first.format {
				return nil, fmt.Errorf("cpu: experts of %dx%d in %v and %dx%d in %v", first.out, first.in, first.format, m.out, m.in, m.format)
			}
		}
		e.matrices = append(e.matrices, m)
		e.bytes += m.Bytes()
	}
	return e, nil
}

// routing is the entries of a batch:
//
//	expert 0        | expert 1   | …
//	row 2, 5, 7     | row 0, 2   | …
//	first[0]        first[1]
type routing struct {
	most, chosen int // rows it has room for, and experts of each

	rows    int       // of the batch
	experts []int32   // of each row, chosen of them, ascending
	weights []float32 // of these
	entries []int32   // of these, their places in the order of the drawing
	first   []int32   // of each expert its first entry, and then the end
	row     []int32   // of each entry
}

func (r *routing) Entries() int { return r.rows * r.chosen }

func (d *device) NewRouting(rows, count, chosen int) (kernels.Routing, error) {
	if rows < 1 || chosen < 1 || chosen > count {
		return nil, fmt.Errorf("cpu: a routing of %d rows to %d of %d experts", rows, chosen, count)
	}
	n := rows * chosen
	return &routing{
		most: rows, chosen: chosen, experts: make([]int32, n), weights: make([]float32, n),
		entries: make([]int32, n), first: make([]int32, count+1), row: make([]int32, n),
	}, nil
}

// of is the range of entries of an expert.
func (r *routing) of(expert int) (lo, hi int) { return int(r.first[expert]), int(r.first[expert+1]) }

// order puts the entries in order of expert and row.
func (r *routing) order() {
	n := r.Entries()
	clear(r.first)
	for _, e := range r.experts[:n] {
		r.first[e+1]++
	}
	for e := range len(r.first) - 1 {
		r.first[e+1] += r.first[e]
	}
	for i, e := range r.experts[:n] {
		r.entries[i] = r.first[e]
		r.row[r.first[e]] = int32(i / r.chosen)
		r.first[e]++
	}
	// Every first has moved to where the next one was.
	copy(r.first[1:], r.first)
	r.first[0] = 0
}

func (d *device) Route(r kernels.Routing, logits kernels.Tensor, spec *kernels.RouterSpec, rows int) {
	to, from := r.(*routing), logits.(*tensor)
	if count := len(to.first) - 1; from.cols != count || spec.Chosen != to.chosen || rows > to.most {
		mismatch("route: %d rows of %d logits to %d experts; the routing is for %d rows to %d of %d",
			rows, from.cols, spec.Chosen, to.most, to.chosen, count)
	}
	if g := spec.Groups; g > 1 && (from.cols%g != 0 || from.cols/g < 2 || spec.ChosenGroups < 1 || spec.ChosenGroups > g || spec.ChosenGroups*(from.cols/g) < spec.Chosen) {
		mismatch("route: %d of %d groups of %d experts", spec.ChosenGroups, g, from.cols)
	}
	from.must("route", rows)
	to.rows = rows
	d.route = routeJob{to, from, spec, nil}
	if spec.Bias != nil {
		if d.route.bias = spec.Bias.(*tensor).row(0); len(d.route.bias) != from.cols {
			mismatch("route: bias of %d for %d experts", len(d.route.bias), from.cols)
		}
	}
	d.pool.run(&d.route, rowChunks(rows, from.cols))
	to.order()
}

type routeJob struct {
	to     *routing
	logits *tensor
	spec   *kernels.RouterSpec
	bias   []float32
}

func (j *routeJob) chunk(w *worker, i int) {
	lo, hi := rowChunk(i, j.to.rows, j.logits.cols)
	for r := lo; r < hi; r++ {
		n := j.to.chosen
		j.choose(w, j.logits.row(r), j.to.experts[r*n:(r+1)*n], j.to.weights[r*n:(r+1)*n])
	}
}

// choose finds the experts of a row, in ascending order, and their weights. It is
// little work, and done in float64.
func (j *routeJob) choose(w *worker, logits []float32, chosen []int32, weights []float32) {
	n := len(logits)
	w.routing = grow(w.routing, 2*n)
	scores, ranks := w.routing[:n], w.routing[n:]
	if j.spec.Sigmoid {
		for i, x := range logits {
			scores[i] = 1 / (1 + math.Exp(-number(x)))
		}
	} else {
		softmax(scores, logits)
	}
	copy(ranks, scores)
	for i, b := range j.bias {
		ranks[i] += float64(b)
	}
	if g := j.spec.Groups; g > 1 {
		w.groups = grow(w.groups, g)
		size := n / g
		for i := range w.groups {
			w.groups[i] = bestTwo(ranks[i*size : (i+1)*size])
		}
		for range j.spec.ChosenGroups {
			w.groups[highest(w.groups)] = math.NaN()
		}
		for i, sum := range w.groups {
			if !math.IsNaN(sum) {
				for k := i * size; k < (i+1)*size; k++ {
					ranks[k] = math.NaN()
				}
			}
		}
	}
	for i := range chosen {
		best := highest(ranks)
		ranks[best] = math.NaN()
		chosen[i] = int32(best)
	}
	slices.Sort(chosen)

	scale := float64(j.spec.Scale)
	if j.spec.Normalize {
		sum := 1e-20 // of sigmoids that are all 0
		for _, e := range chosen {
			sum += scores[e]
		}
		scale /= sum
	}
	for i, e := range chosen {
		weights[i] = float32(scores[e] * scale)
	}
}

// number is x, or -Inf for NaN.
func number(x float32) float64 {
	if x != x {
		return math.Inf(-1)
	}
	return float64(x)
}

// softmax writes the shares of logits. If the largest is infinite, those that are
// it share all.
func softmax(scores []float64, logits []float32) {
	m := math.Inf(-1)
	for _, x := range logits {
		m = max(m, number(x))
	}
	sum := 0.0
	for i, x := range logits {
		d := number(x) - m
		if math.IsInf(m, 0) {
			d = math.Inf(-1)
			if number(x) == m {
				d = 0
			}
		}
		scores[i] = math.Exp(d)
		sum += scores[i]
	}
	for i := range scores {
		scores[i] /= sum
	}
}

// highest is the index of the largest number, the first of equals. NaNs are taken;
// if there is nothing else, it is the first index.
func highest(x []float64) int {
	best := -1
	for i, v := range x {
		if v == v && (best < 0 || v > x[best]) {
			best = i
		}
	}
	return max(best, 0)
}

// bestTwo is the sum of the two largest of two or more numbers.
func bestTwo(x []float64) float64 {
	first, second := math.Inf(-1), math.Inf(-1)
	for _, v := range x {
		if v > first {
			first, second = v, first
		} else if v > second {
			second = v
		}
	}
	return first + second
}

func (d *device) Dispatch(dst, x kernels.Tensor, r kernels.Routing) {
	j := &d.dispatch
	j.dst, j.x, j.routing = dst.(*tensor), x.(*tensor), r.(*routing)
	if j.dst.cols != j.x.cols {
		mismatch("dispatch: %d columns into %d", j.x.cols, j.dst.cols)
	}
	j.dst.must("dispatch", j.routing.Entries())
	j.x.must("dispatch", j.routing.rows)
	d.pool.run(j, rowChunks(j.routing.Entries(), j.x.cols))
}

type dispatchJob struct {
	dst, x  *tensor
	routing *routing
}

func (j *dispatchJob) chunk(_ *worker, i int) {
	lo, hi := rowChunk(i, j.routing.Entries(), j.x.cols)
	for entry := lo; entry < hi; entry++ {
		copy(j.dst.row(entry), j.x.row(int(j.routing.row[entry])))
	}
}

func (d *device) Combine(dst, x kernels.Tensor, r kernels.Routing, add bool) {
	j := &d.combine
	j.set, j.dst, j.x, j.routing, j.add = d.set, dst.(*tensor), x.(*tensor), r.(*routing), add
	if j.dst.cols != j.x.cols {
		mismatch("combine: %d columns into %d", j.x.cols, j.dst.cols)
	}
	j.dst.must("combine", j.routing.rows)
	j.x.must("combine", j.routing.Entries())
	d.pool.run(j, rowChunks(j.routing.rows, j.x.cols))
}

type combineJob struct {
	set     *set
	dst, x  *tensor
	routing *routing
	add     bool
}

func (j *combineJob) chunk(_ *worker, i int) {
	lo, hi := rowChunk(i, j.routing.rows, j.x.cols)
	for r := lo; r < hi; r++ {
		if !j.add {
			clear(j.dst.row(r))
		}
		for k := r * j.routing.chosen; k < (r+1)*j.routing.chosen; k++ {
			j.set.axpy(j.dst.row(r), j.x.row(int(j.routing.entries[k])), j.routing.weights[k])
		}
	}
}

func (d *device) ClampedSwiGLU(dst, gateUp kernels.Tensor, rows int, alpha, limit float32) {
	to, from := dst.(*tensor), gateUp.(*tensor)
	if from.cols != 2*to.cols {
		mismatch("clamped swiglu: %d columns into %d", from.cols, to.cols)
	}
	to.must("clamped swiglu", rows)
	from.must("clamped swiglu", rows)
	d.clamped = clampedJob{to, from, rows, alpha, limit}
	d.pool.run(&d.clamped, rowChunks(rows, to.cols))
}

type clampedJob struct {
	dst, gateUp  *tensor
	rows         int
	alpha, limit float32
}

func (j *clampedJob) chunk(_ *worker, i int) {
	lo, hi := rowChunk(i, j.rows, j.dst.cols)
	for r := lo; r < hi; r++ {
		row, dst := j.gateUp.row(r), j.dst.row(r)
		gates, ups := row[:len(dst)], row[len(dst):]
		for k, g := range gates {
			g, up := min(g, j.limit), max(min(ups[k], j.limit), -j.limit)
			dst[k] = float32(g/(1+exp(float32(-j.alpha*g)))) * (up + 1)
		}
	}
}
