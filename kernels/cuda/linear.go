//go:build cuda

package cuda

import (
	"fmt"

	"deepprune/kernels"
	"deepprune/kernels/cuda/driver"
)

// denseFunctions are the kernels of linear layers, norms, activations and embedding,
// by format where there is one for each.
type denseFunctions struct {
	embed, round             [4]driver.Function
	few                      [4][]driver.Function // of fewRows
	many, manySliced         [4]driver.Function
	f32                      driver.Function
	norm, swiglu, clampedGLU driver.Function
}

// fewRows is the rows that kernels of linear_few.cu compute at a time, and fewTiles the
// tiles that a warp of each has, by format.
var (
	fewRows  = []int{8, 16, 32, 64}
	fewTiles = [...][]int{kernels.BF16: {1, 2, 2, 4}, kernels.Int8: {1, 2, 2, 4}, kernels.Int4: {1, 2, 2, 1}}
)

const (
	productWarps = 8 // of a block
	// manyRows and manyTiles are what a block of linear_many.cu computes. It is worth it
	// from manyBlocks of them on, the multiprocessors of an H100; fewer blocks leave it
	// to linear_few.cu.
	manyRows, manyTiles = 128, 8
	manyBlocks          = 132
	// mostBlocks is how many blocks a grid may have in its second and third dimension.
	mostBlocks = 65_535
)

func (f *denseFunctions) load(l *loader) {
	for _, format := range kernels.Formats() {
		f.embed[format] = l.function("embed_" + format.String())
		if format == kernels.F32 {
			continue
		}
		f.round[format] = l.function("round_" + format.String())
		for _, rows := range fewRows {
			f.few[format] = append(f.few[format], l.function(fmt.Sprintf("linear_%v_%d", format, rows)))
		}
		f.many[format] = l.function(fmt.Sprintf("linear_%v_many", format))
		f.manySliced[format] = l.function(fmt.Sprintf("linear_%v_many_sliced", format))
	}
	f.f32 = l.function("linear_f32")
	f.norm, f.swiglu, f.clampedGLU = l.function("rms_norm"), l.function("swiglu"), l.function("clamped_swiglu")
}

// denseState is scratch memory: the rounded rows of the product that is being made.
type denseState struct {
	values, scales buffer
}

// product is dst = x·wᵀ + bias for rows, or for the entries of a routing.
type product struct {
	dst, x  driver.Pointer
	weights driver.Pointer // of w, or a table of those of experts
	w       *matrix        // or one of the experts', for the shape
	bias    driver.Pointer // or 0
	rows    int
	offsets driver.Pointer // where the entries of each expert begin, or 0
	experts int            // 1 without a routing
}

func (d *device) Linear(dst, x kernels.Tensor, w kernels.Matrix, bias kernels.Tensor, rows int) {
	to, from, m := dst.(*tensor), x.(*tensor), w.(*matrix)
	if from.cols != m.in || to.cols != m.out {
		mismatch("linear: %d columns by %dx%d into %d", from.cols, m.out, m.in, to.cols)
	}
	to.must("linear", rows)
	from.must("linear", rows)
	if bias != nil && bias.Cols() != m.out {
		mismatch("linear: bias of %d for %d outputs", bias.Cols(), m.out)
	}
	d.multiply(product{dst: to.at, x: from.at, weights: m.at, w: m, bias: pointer(bias), rows: rows, experts: 1})
}

// multiply rounds the rows and chooses the kernel: by how many rows a weight has, on
// average. Which one it is makes no difference to the bits.
func (d *device) multiply(p product) {
	if p.rows == 0 {
		return
	}
	fn, m := &d.fn.dense, p.w
	block := [3]uint32{32 * productWarps, 1, 1}
	if m.format == kernels.F32 {
		grid := [3]uint32{uint32(ceil(m.tiles, productWarps/m.slices)), uint32(p.strides(8)), uint32(p.experts)}
		d.stream.Launch(fn.f32, grid, block, 0, d.args.Reset().Pointer(p.dst).Pointer(p.x).Pointer(p.weights).Pointer(p.bias).
			Pointer(p.offsets).Int(p.rows).Int(m.out).Int(m.in).Int(m.tiles).Int(m.steps).Int(m.slices))
		return
	}
	columns := ceil(p.rows, 8)
	values := d.reserve(&d.dense.values, int64(columns)*int64(m.steps)*512)
	scales := d.reserve(&d.dense.scales, int64(columns)*int64(m.steps)*8*8)
	d.stream.Launch(fn.round[m.format], [3]uint32{uint32(columns), uint32(ceil(m.steps, 8)), 1}, block, 0,
		d.args.Reset().Pointer(values).Pointer(scales).Pointer(p.x).Int(p.rows).Int(m.in).Int(m.steps).Int(columns))

	each := ceil(p.rows, p.experts)
	f, grid := fn.few[m.format][0], [3]uint32{0, 0, uint32(p.experts)}
	if wide := ceil(m.tiles, manyTiles); each > fewRows[len(fewRows)-1] && wide*ceil(each, manyRows)*p.experts >= manyBlocks {
		if f = fn.many[m.format]; m.slices > 1 {
			f = fn.manySliced[m.format]
		}
		grid[0], grid[1] = uint32(wide), uint32(p.strides(manyRows))
	} else {
		i := 0
		for i < len(fewRows)-1 && fewRows[i] < each {
			i++
		}
		f = fn.few[m.format][i]
		grid[0], grid[1] = uint32(ceil(m.tiles, productWarps/m.slices*fewTiles[m.format][i])), uint32(p.strides(fewRows[i]))
	}
	d.stream.Launch(f, grid, block, 0, d.args.Reset().Pointer(p.dst).Pointer(values).Pointer(scales).Pointer(p.weights).Pointer(p.bias).
		Pointer(p.offsets).Int(p.rows).Int(m.out).Int(m.tiles).Int(m.steps).Int(columns).Int(m.slices))
}

// strides is how many blocks share the rows of a weight, of so many rows at a time. The
// rows of an expert are known to the device alone: its blocks walk over them.
func (p *product) strides(rows int) int {
	each := p.rows
	if p.offsets != 0 {
		each = ceil(p.rows, p.experts)
	}
	return min(ceil(each, rows), mostBlocks)
}
