package weights

import (
	"fmt"
	"sync"
)

// Part is element i of a tensor's first dimension, a tensor of the others. It panics
// if the tensor has fewer than two dimensions, or no such element.
func Part(t *Tensor, i int) *Tensor {
	if len(t.Shape) < 2 || i < 0 || i >= t.Shape[0] {
		panic(fmt.Sprintf("weights: part %d of tensor %q %v", i, t.Name, t.Shape))
	}
	p := *t
	p.Name = fmt.Sprintf("%s[%d]", t.Name, i)
	p.Shape = t.Shape[1:]
	p.rows, p.cols = 1, t.cols
	if len(p.Shape) > 1 {
		p.rows, p.cols = p.Shape[0], t.cols/max(p.Shape[0], 1)
	}
	switch {
	case t.part != nil:
		p.part, p.generate, p.sources = nil, t.part(i), make([]*Tensor, len(t.sources))
		for k, s := range t.sources {
			p.sources[k] = Part(s, i)
		}
	case t.generate != nil:
		if len(p.Shape) > 1 {
			panic(fmt.Sprintf("weights: part of tensor %q %v, which is made as it is read", t.Name, t.Shape))
		}
		p.generate = func(_ int, dst []float32) { t.Row(i, dst) }
	default:
		p.data = t.data[i*t.rowBytes : (i+1)*t.rowBytes : (i+1)*t.rowBytes]
		p.rowBytes = t.rowBytes / max(p.rows, 1)
	}
	return &p
}

// Reordered is a matrix whose row i is row from(i) of t. from may be called
// concurrently.
func Reordered(t *Tensor, from func(i int) int) *Tensor {
	r := *t
	r.data, r.part, r.sources = nil, nil, []*Tensor{t}
	r.generate = func(i int, dst []float32) { t.Row(from(i), dst) }
	return &r
}

// ReorderedColumns is a tensor whose columns i are columns from(i) of t.
func ReorderedColumns(t *Tensor, from func(i int) int) *Tensor {
	r := *t
	r.data, r.part, r.sources = nil, nil, []*Tensor{t}
	r.generate = func(i int, dst []float32) {
		row := make([]float32, len(dst))
		t.Row(i, row)
		for j := range dst {
			dst[j] = row[from(j)]
		}
	}
	return &r
}

// Transposed is the matrix t with rows and columns exchanged. All of t is read when
// the first row is, and kept as long as the result.
func Transposed(t *Tensor) *Tensor {
	if len(t.Shape) != 2 {
		panic(fmt.Sprintf("weights: tensor %q %v transposed", t.Name, t.Shape))
	}
	r := *t
	r.data, r.part, r.sources = nil, nil, []*Tensor{t}
	r.Shape = []int{t.Shape[1], t.Shape[0]}
	r.rows, r.cols = r.Shape[0], r.Shape[1]
	all := sync.OnceValue(func() []float32 {
		all := make([]float32, t.rows*t.cols)
		for i := range t.rows {
			t.Row(i, all[i*t.cols:(i+1)*t.cols])
		}
		return all
	})
	r.generate = func(i int, dst []float32) {
		for j, all := 0, all(); j < len(dst); j++ {
			dst[j] = all[j*t.cols+i]
		}
	}
	return &r
}
