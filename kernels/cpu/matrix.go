package cpu

import (
	"fmt"
	"math"

	"deepprune/kernels"
)

// matrix is a weight in panels of 32 outputs, the last one filled up with zeros.
// A panel is a sequence of steps along the input, the last one filled up too:
//
//	data[out/32][steps][words]
//
// What a step holds is in words of 32 bits, so that a vector of 16 lanes has a
// word of each of 16 outputs:
//
//	f32    1 number:   [32]float32
//	bf16   2 numbers:  [32] pairs of bfloat16, the first in the low half
//	int8  64 numbers:  [16][32] four bytes each, biased by 128; [32] scales
//	int4  32 numbers:  [4][32] eight nibbles each, biased by 8; [32] scales
//
// A word of nibbles has the first four numbers in the low halves of its bytes and
// the next four in the high halves. Scales are bfloat16. A linear layer reads the
// weight once from end to end.
//
// Checkpoints keep rows of the weight one after the other. Multiplied in place,
// each sum would run along the lanes of a vector, so a tile of several rows and
// outputs would need as many vectors to sum up in as it has results, and the rows
// of x would be loaded again for every output. Packing costs one pass when the
// model is loaded.
type matrix struct {
	data    []uint32
	slab    *slab // that has the data
	out, in int
	format  kernels.Format
}

// layout is how a format lies in a panel.
type layout struct {
	depth int // numbers along the input in a step
	words int // of a step of a panel
}

var layouts = [...]layout{
	kernels.F32:  {1, panelWidth},
	kernels.BF16: {2, panelWidth},
	kernels.Int8: {int8Group, int8Group/4*panelWidth + scaleWords},
	kernels.Int4: {int4Group, int4Group/8*panelWidth + scaleWords},
}

const (
	int8Group  = 64 // kernels.Int8.Group()
	int4Group  = 32 // kernels.Int4.Group()
	scaleWords = panelWidth / 2
)

// steps is the number of steps that in numbers take.
func (l *layout) steps(in int) int { return ceil(in, l.depth) }

func (m *matrix) Out() int               { return m.out }
func (m *matrix) In() int                { return m.in }
func (m *matrix) Format() kernels.Format { return m.format }
func (m *matrix) Bytes() int64           { return int64(len(m.data)) * 4 }

func (m *matrix) panels() int { return ceil(m.out, panelWidth) }
func (m *matrix) steps() int  { return layouts[m.format].steps(m.in) }

func (m *matrix) panel(p int) []uint32 {
	n := m.steps() * layouts[m.format].words
	return m.data[p*n : (p+1)*n]
}

func (d *device) NewMatrix(format kernels.Format, out, in int, fill func(i int, dst []float32)) (kernels.Matrix, error) {
	if out < 1 || in < 1 || int(format) >= len(layouts) {
		return nil, fmt.Errorf("cpu: a matrix of %d by %d in %v", out, in, format)
	}
	m := &matrix{out: out, in: in, format: format}
	l := &layouts[format]
	var err error
	if m.data, m.slab, err = d.carve(int64(m.panels()) * int64(m.steps()) * int64(l.words)); err != nil {
		return nil, err
	}
	d.pool.run(&packJob{m, fill}, m.panels())
	return m, nil
}

// packJob packs one panel per chunk.
type packJob struct {
	m    *matrix
	fill func(i int, dst []float32)
}

func (j *packJob) chunk(w *worker, p int) {
	l, m := &layouts[j.m.format], j.m
	w.row = grow(w.row, m.steps()*l.depth)
	clear(w.row[m.in:])
	panel := m.panel(p)
	for lane := range min(panelWidth, m.out-p*panelWidth) {
		j.fill(p*panelWidth+lane, w.row[:m.in])
		m.pack(panel, lane, w.row)
	}
}

// pack writes a row of whole steps into a lane of a panel.
func (m *matrix) pack(panel []uint32, lane int, row []float32) {
	switch m.format {
	case kernels.F32:
		for k, v := range row {
			panel[k*panelWidth+lane] = math.Float32bits(v)
		}
	case kernels.BF16:
		for k := 0; k < len(row); k += 2 {
			panel[k/2*panelWidth+lane] = uint32(kernels.BFloat16(row[k])) | uint32(kernels.BFloat16(row[k+1]))<<16
		}
	case kernels.Int8:
		for ; len(row) > 0; row = row[int8Group:] {
			group := panel[:layouts[kernels.Int8].words]
			panel = panel[len(group):]
			scale := kernels.Int8Scale(row[:int8Group])
			setScale(group[len(group)-scaleWords:], lane, scale)
			for k := range int8Group / 4 {
				group[k*panelWidth+lane] = int8Word(row[4*k:4*k+4], scale)
			}
		}
	case kernels.Int4:
		for ; len(row) > 0; row = row[int4Group:] {
			group := panel[:layouts[kernels.Int4].words]
			panel = panel[len(group):]
			scale := kernels.Int4Scale(row[:int4Group])
			setScale(group[len(group)-scaleWords:], lane, scale)
			for k := range int4Group / 8 {
				group[k*panelWidth+lane] = int4Word(row[8*k:8*k+8], scale)
			}
		}
	}
}

// unpack is the inverse of pack. The row may end within a step.
func (m *matrix) unpack(row []float32, panel []uint32, lane int) {
	switch m.format {
	case kernels.F32:
		for k := range row {
			row[k] = math.Float32frombits(panel[k*panelWidth+lane])
		}
	case kernels.BF16:
		for k := range row {
			row[k] = widen(uint16(panel[k/2*panelWidth+lane] >> (k % 2 * 16)))
		}
	case kernels.Int8:
		for k := range row {
			group := panel[k/int8Group*layouts[kernels.Int8].words:]
			w := group[k%int8Group/4*panelWidth+lane] >> (k % 4 * 8)
			row[k] = float32(int32(w&0xff)-int8Bias) * scaleOf(group[int8Group/4*panelWidth:], lane)
		}
	case kernels.Int4:
		for k := range row {
			group := panel[k/int4Group*layouts[kernels.Int4].words:]
			w := group[k%int4Group/8*panelWidth+lane] >> (k%4*8 + k%8/4*4)
			row[k] = float32(int32(w&0xf)-int4Bias) * scaleOf(group[int4Group/8*panelWidth:], lane)
		}
	}
}

func (d *device) Embed(dst kernels.Tensor, table kernels.Matrix, tokens []int32) {
	t, m := dst.(*tensor), table.(*matrix)
	if t.cols != m.in {
		mismatch("embed: %d columns into %d", m.in, t.cols)
	}
	t.must("embed", len(tokens))
	d.embed = embedJob{t, m, tokens}
	d.pool.run(&d.embed, rowChunks(len(tokens), m.in))
}

type embedJob struct {
	dst    *tensor
	table  *matrix
	tokens []int32
}

func (j *embedJob) chunk(_ *worker, i int) {
	lo, hi := rowChunk(i, len(j.tokens), j.table.in)
	for r := lo; r < hi; r++ {
		token := int(j.tokens[r])
		if token < 0 || token >= j.table.out {
			mismatch("embed: token %d of %d", token, j.table.out)
		}
		j.table.unpack(j.dst.row(r), j.table.panel(token/panelWidth), token%panelWidth)
	}
}
