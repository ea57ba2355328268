//go:build cuda

package cuda

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"deepprune/kernels"
	"deepprune/kernels/cuda/driver"
)

// matrix is a weight in the order in which products read it, which src/linear.cuh
// draws: tiles of outputs, whole eights of them, in steps along the input.
//
//	[tile][step] values, then [tile][step] scales
//
// What fills tiles and steps up is zeros.
type matrix struct {
	at      driver.Pointer
	out, in int
	format  kernels.Format
	tiles   int // that have outputs
	steps   int
	slices  int // that a sum is cut into
}

// layout is the shape of a tile, and its bytes in a step.
type layout struct {
	width, depth   int // outputs; numbers along the input in a step
	values, scales int64
}

var layouts = [...]layout{
	kernels.F32:  {32, 4, 512, 0},
	kernels.BF16: {16, 32, 1024, 0},
	kernels.Int8: {16, 64, 1024, 32},
	kernels.Int4: {16, 64, 512, 64},
}

const (
	maxSlices = 8
	// sliceWarps is how many warps a product is worth: a sum is cut into slices until
	// there are as many, so that small weights occupy the whole GPU too.
	sliceWarps = 4096
)

// slicesOf depends on the shape of the weight alone, for the bits depend on it.
func slicesOf(tiles, steps int) int {
	n := 1
	for 2*n <= min(maxSlices, steps) && 2*n*tiles <= sliceWarps {
		n *= 2
	}
	return n
}

func (m *matrix) Out() int               { return m.out }
func (m *matrix) In() int                { return m.in }
func (m *matrix) Format() kernels.Format { return m.format }

func (m *matrix) Bytes() int64 {
	l := &layouts[m.format]
	return m.blocks() * (l.values + l.scales)
}

// blocks is the number of steps of all tiles.
func (m *matrix) blocks() int64 { return int64(ceil(m.tiles, 8)) * 8 * int64(m.steps) }

// packBytes is how much of a weight is packed at a time.
const packBytes = 16 << 20

func (d *device) NewMatrix(format kernels.Format, out, in int, fill func(i int, dst []float32)) (kernels.Matrix, error) {
	if out < 1 || in < 1 || int(format) >= len(layouts) {
		return nil, fmt.Errorf("cuda: a matrix of %d by %d in %v", out, in, format)
	}
	l := &layouts[format]
	m := &matrix{out: out, in: in, format: format, tiles: ceil(out, l.width), steps: ceil(in, l.depth)}
	m.slices = slicesOf(m.tiles, m.steps)
	var err error
	if m.at, err = d.allocate(m.Bytes()); err != nil {
		return nil, err
	}
	values, scales := int64(m.steps)*l.values, int64(m.steps)*l.scales // of a tile
	scalesAt := m.at + driver.Pointer(m.blocks()*l.values)
	for first, n := 0, max(1, int(packBytes/values)); first < m.tiles; first += n {
		n = min(n, m.tiles-first)
		p := &packing{m: m, first: first, tiles: n, values: make([]byte, int64(n)*values), scales: make([]byte, int64(n)*scales)}
		p.run(fill)
		d.copyIn(m.at+driver.Pointer(int64(first)*values), p.values)
		d.copyIn(scalesAt+driver.Pointer(int64(first)*scales), p.scales)
	}
	return m, d.ctx.Err()
}

// packing is some tiles of a matrix on the host.
type packing struct {
	m              *matrix
	first, tiles   int
	values, scales []byte
}

// run fills the tiles, each by one of several goroutines.
func (p *packing) run(fill func(i int, dst []float32)) {
	l := &layouts[p.m.format]
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(p.tiles, runtime.GOMAXPROCS(0)) {
		group.Go(func() {
			row := make([]float32, p.m.steps*l.depth)
			for {
				tile := int(next.Add(1)) - 1
				if tile >= p.tiles {
					return
				}
				for r := range l.width {
					if i := (p.first+tile)*l.width + r; i < p.m.out {
						fill(i, row[:p.m.in])
						p.pack(tile, r, row)
					}
				}
			}
		})
	}
	group.Wait()
}

// putScale writes a scale, a bfloat16.
func putScale(dst []byte, scale float32) {
	binary.LittleEndian.PutUint16(dst, uint16(math.Float32bits(scale)>>16))
}

// pack writes a row of whole steps as output r of a tile.
func (p *packing) pack(tile, r int, row []float32) {
	l := &layouts[p.m.format]
	values := p.values[int64(tile*p.m.steps)*l.values:]
	scales := p.scales[int64(tile*p.m.steps)*l.scales:]
	for ; len(row) > 0; row = row[l.depth:] {
		step := row[:l.depth]
		switch p.m.format {
		case kernels.F32:
			for k, v := range step {
				binary.LittleEndian.PutUint32(values[r*16+k*4:], math.Float32bits(v))
			}
		case kernels.BF16:
			for k, v := range step {
				at := k%8/4*512 + (r%8*4+k/8)*16 + (k%4/2*2+r/8)*4 + k%2*2
				binary.LittleEndian.PutUint16(values[at:], kernels.BFloat16(v))
			}
		case kernels.Int8:
			scale := kernels.Int8Scale(step)
			putScale(scales[r%8*4+r/8*2:], scale)
			for k, v := range step {
				values[k/32*512+(r%8*4+k%32/8)*16+(k%8/4*2+r/8)*4+k%4] = byte(kernels.Int8Of(v, scale))
			}
		case kernels.Int4:
			for unit := range 2 {
				group := step[32*unit:][:32]
				scale := kernels.Int4Scale(group)
				putScale(scales[r%8*8+unit*4+r/8*2:], scale)
				for k, v := range group {
					q := kernels.Int4Of(v, scale)
					values[(r%8*4+k/8)*16+(unit*2+r/8)*4+k%4] |= byte(q) & 15 << (k % 8 / 4 * 4)
				}
			}
		}
		values, scales = values[l.values:], scales[l.scales:]
	}
}

func (d *device) Embed(dst kernels.Tensor, table kernels.Matrix, tokens []int32) {
	t, m := dst.(*tensor), table.(*matrix)
	if t.cols != m.in {
		mismatch("embed: %d columns into %d", m.in, t.cols)
	}
	t.must("embed", len(tokens))
	for _, token := range tokens {
		if token < 0 || int(token) >= m.out {
			mismatch("embed: token %d of %d", token, m.out)
		}
	}
	if len(tokens) == 0 {
		return
	}
	d.stream.Launch(d.fn.dense.embed[m.format], [3]uint32{uint32(len(tokens)), 1, 1}, [3]uint32{256, 1, 1}, 0,
		d.args.Reset().Pointer(t.at).Pointer(m.at).Pointer(put(d, &d.step.tokens, tokens)).
			Int(m.in).Int(m.tiles).Int(m.steps))
}
