package weights

import "fmt"

// New returns a checkpoint that is not opened but made: of small files by their
// names, config.json say, and of tensors. Two tensors of one name are a mistake
// in the program, and panic.
func New(name string, files map[string][]byte, tensors ...*Tensor) *Checkpoint {
	c := &Checkpoint{name: name, files: files, tensors: make(map[string]*Tensor, len(tensors))}
	for _, t := range tensors {
		if c.tensors[t.Name] != nil {
			panic(fmt.Sprintf("weights: %s: two tensors %q", name, t.Name))
		}
		c.tensors[t.Name] = t
	}
	return c
}

// Generated returns a float32 tensor of one or two dimensions whose rows are made
// when they are read: row fills dst with row i. It may be called concurrently, and
// again for the same row.
func Generated(name string, shape []int, row func(i int, dst []float32)) *Tensor {
	t := &Tensor{Name: name, DType: F32, Shape: shape, rows: 1, generate: row}
	switch len(shape) {
	case 1:
		t.cols = shape[0]
	case 2:
		t.rows, t.cols = shape[0], shape[1]
	default:
		panic(fmt.Sprintf("weights: a generated tensor %q of shape %v", name, shape))
	}
	return t
}
