package model

import (
	"fmt"

	"deepprune/kernels"
	"deepprune/weights"
)

// uploader copies tensors to a device and keeps the first error.
type uploader struct {
	device     kernels.Device
	checkpoint *weights.Checkpoint
	format     kernels.Format
	bytes      int64 // of the matrices so far
	done, all  int64 // numbers copied, and those there are
	progress   func(done, all int64)
	err        error
}

// matrix stacks the rows of tensors of as many columns.
func (u *uploader) matrix(parts ...*weights.Tensor) kernels.Matrix {
	return u.matrixIn(u.format, parts...)
}

// matrixIn is matrix for a weight that is small and matters much, which is not kept
// in the model's format.
func (u *uploader) matrixIn(format kernels.Format, parts ...*weights.Tensor) kernels.Matrix {
	if u.err != nil {
		return nil
	}
	out := 0
	for _, p := range parts {
		out += p.Rows()
	}
	m, err := u.device.NewMatrix(format, out, parts[0].Cols(), func(i int, dst []float32) {
		for _, p := range parts {
			if i < p.Rows() {
				p.Row(i, dst)
				return
			}
			i -= p.Rows()
		}
	})
	if err != nil {
		u.err = fmt.Errorf("tensor %q: %w", parts[0].Name, err)
		return nil
	}
	u.bytes += m.Bytes()
	for _, p := range parts {
		u.checkpoint.Forget(p)
	}
	u.loaded(int64(out) * int64(m.In()))
	return m
}

// loaded counts numbers that are on the device now.
func (u *uploader) loaded(n int64) {
	u.done += n
	if u.progress != nil {
		u.progress(min(u.done, u.all), u.all)
	}
}

// vector makes a row of tensors of one dimension, nil of nil.
func (u *uploader) vector(parts ...*weights.Tensor) kernels.Tensor {
	if u.err != nil || parts[0] == nil {
		return nil
	}
	row := row(parts)
	t, err := u.device.Upload(row, 1, len(row))
	if err != nil {
		u.err = fmt.Errorf("tensor %q: %w", parts[0].Name, err)
		return nil
	}
	u.loaded(int64(len(row)))
	return t
}

// layer makes a layer of its tensors, but for the rotary tables.
func (u *uploader) layer(cfg *Config, i int, t *layerTensors) layer {
	cfg.rotatedFirst(t)
	attention := cfg.attention(i)
	attention.Sinks = u.vector(t.sinks)
	l := layer{
		inputNorm: u.vector(t.inputNorm),
		qkv:       u.matrix(t.qkv...), qkvBias: u.vector(t.qkvBias...),
		rotary: kernels.RotarySpec{
			AttentionSpec: attention, QNorm: u.vector(t.qNorm), KNorm: u.vector(t.kNorm), Eps: float32(cfg.RMSNormEps),
		},
		output: u.matrix(t.output), outputBias: u.vector(t.outputBias),
		mlpNorm:     u.vector(t.mlpNorm),
		feedForward: u.feedForward(t.feedForward),
	}
	if t.experts != nil {
		l.experts = u.mixture(cfg, t.experts)
	}
	return l
}

func (u *uploader) feedForward(t *feedForwardTensors) *feedForward {
	if t == nil {
		return nil
	}
	return &feedForward{
		gateUp: u.matrix(t.gateUp...), gateUpBias: u.vector(t.gateUpBias...),
		down: u.matrix(t.down), downBias: u.vector(t.downBias),
	}
}

func (u *uploader) mixture(cfg *Config, t *expertTensors) *mixture {
	x := &cfg.Experts
	return &mixture{
		router: u.matrixIn(kernels.F32, t.router), routerBias: u.vector(t.routerBias),
		spec: kernels.RouterSpec{
			Chosen: x.Chosen, Sigmoid: x.Sigmoid, Bias: u.vector(t.correction), Normalize: x.Normalize,
			Scale: float32(x.Scale), Groups: x.Groups, ChosenGroups: x.ChosenGroups,
		},
		gateUp: u.experts(t.gateUp), gateUpBias: u.biases(t.gateUpBias),
		down: u.experts(t.down), downBias: u.biases(t.downBias),
		shared: u.feedForward(t.shared),
	}
}

// experts makes a matrix for each expert, and drops its tensors: one that is
// transposed has all its numbers in memory for as long as it is there.
func (u *uploader) experts(all perExpert) kernels.Experts {
	name := all[0][0].Name
	matrices := make([]kernels.Matrix, len(all))
	for i, parts := range all {
		matrices[i] = u.matrix(parts...)
		all[i] = nil
	}
	if u.err != nil {
		return nil
	}
	e, err := u.device.NewExperts(matrices)
	if err != nil {
		u.err = fmt.Errorf("tensor %q: %w", name, err)
		return nil
	}
	return e
}

// biases makes a row of the biases of each expert, nil of nil.
func (u *uploader) biases(all perExpert) kernels.Tensor {
	if u.err != nil || all[0][0] == nil {
		return nil
	}
	var rows []float32
	for _, parts := range all {
		rows = append(rows, row(parts)...)
	}
	t, err := u.device.Upload(rows, len(all), len(rows)/len(all))
	if err != nil {
		u.err = fmt.Errorf("tensor %q: %w", all[0][0].Name, err)
		return nil
	}
	u.loaded(int64(len(rows)))
	return t
}

// row is tensors of one dimension, side by side.
func row(parts []*weights.Tensor) []float32 {
	var row []float32
	for _, p := range parts {
		n := len(row)
		row = append(row, make([]float32, p.Cols())...)
		p.Row(0, row[n:])
	}
	return row
}
