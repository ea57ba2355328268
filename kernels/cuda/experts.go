//go:build cuda

package cuda

import (
	"fmt"

	"deepprune/kernels"
	"deepprune/kernels/cuda/driver"
)

// expertFunctions are the kernels of routings.
type expertFunctions struct {
	route, order, dispatch, combine driver.Function
}

func (f *expertFunctions) load(l *loader) {
	f.route, f.order = l.function("route"), l.function("route_order")
	f.dispatch, f.combine = l.function("dispatch"), l.function("combine")
}

// mostExperts is how many experts a router can choose from: a lane of a warp has 64.
const mostExperts = 2048

// routeShared is the shared memory in bytes that a row's scores, their ranks, and sums of
// groups need.
func routeShared(experts, groups int) int { return (2*experts + groups) * 8 }

// routing is the entries of a batch, which the device alone knows:
//
//	expert 0        | expert 1   | …
//	row 2, 5, 7     | row 0, 2   | …
//	offsets[0]      offsets[1]     …   offsets[experts]: all
//
// Rows of padding in a step's tables have no entries, so there may be fewer than
// Entries.
type routing struct {
	most, experts, chosen int // rows it has room for, experts, experts of each row

	rows    int            // of the batch
	offsets driver.Pointer // int32 of each expert, its first entry, and then the end
	row     driver.Pointer // int32 of each entry
	chose   driver.Pointer // int32 of each row, its experts, ascending; -1: it is padding
	place   driver.Pointer // int32 of each of these, its entry; -1: none
	weight  driver.Pointer // float32 of each of these
}

func (r *routing) Entries() int { return r.rows * r.chosen }

func (d *device) NewRouting(rows, experts, chosen int) (kernels.Routing, error) {
	if rows < 1 || chosen < 1 || chosen > experts || experts > mostExperts {
		return nil, fmt.Errorf("cuda: a routing of %d rows to %d of %d experts", rows, chosen, experts)
	}
	r := &routing{most: rows, experts: experts, chosen: chosen}
	list := 4 * int64(rows) * int64(chosen)
	at, err := d.allocate(4*list + 4*int64(experts+1))
	if err != nil {
		return nil, err
	}
	for _, p := range []*driver.Pointer{&r.row, &r.chose, &r.place, &r.weight} {
		*p, at = at, at+driver.Pointer(list)
	}
	r.offsets = at
	return r, nil
}

// What a router does.
const (
	routeSigmoid = 1 << iota
	routeNormalize
)

func (d *device) Route(r kernels.Routing, logits kernels.Tensor, spec *kernels.RouterSpec, rows int) {
	to, from := r.(*routing), logits.(*tensor)
	if from.cols != to.experts || spec.Chosen != to.chosen || rows > to.most {
		mismatch("route: %d rows of %d logits to %d experts; the routing is for %d rows to %d of %d",
			rows, from.cols, spec.Chosen, to.most, to.chosen, to.experts)
	}
	groups := max(spec.Groups, 1)
	if size := from.cols / groups; groups > 1 && (from.cols%groups != 0 || size < 2 || spec.ChosenGroups < 1 || spec.ChosenGroups > groups || spec.ChosenGroups*size < spec.Chosen) {
		mismatch("route: %d of %d groups of %d experts", spec.ChosenGroups, groups, from.cols)
	}
	if spec.Bias != nil && spec.Bias.Cols() != from.cols {
		mismatch("route: bias of %d for %d experts", spec.Bias.Cols(), from.cols)
	}
	from.must("route", rows)
	if to.rows = rows; rows == 0 {
		return
	}
	does := 0
	if spec.Sigmoid {
		does |= routeSigmoid
	}
	if spec.Normalize {
		does |= routeNormalize
	}
	slots := driver.Pointer(0) // which say what is padding
	if d.step.staged {
		slots = d.step.slots.at
	}
	const threads = 256
	shared := routeShared(to.experts, groups)
	warps := max(1, min(4, (48<<10)/shared))
	d.stream.Launch(d.fn.experts.route, [3]uint32{uint32(ceil(rows, warps)), 1, 1}, [3]uint32{uint32(32 * warps), 1, 1}, uint32(warps*shared),
		d.args.Reset().Pointer(to.chose).Pointer(to.weight).Pointer(from.at).Pointer(pointer(spec.Bias)).Pointer(slots).
			Int(to.experts).Int(to.chosen).Int(does).Float(spec.Scale).Int(groups).Int(spec.ChosenGroups).Int(rows))
	d.stream.Launch(d.fn.experts.order, [3]uint32{uint32(to.experts), 1, 1}, [3]uint32{threads, 1, 1}, 0,
		d.args.Reset().Pointer(to.offsets).Pointer(to.row).Pointer(to.place).Pointer(to.chose).Int(to.chosen).Int(to.Entries()))
}

func (d *device) Dispatch(dst, x kernels.Tensor, r kernels.Routing) {
	to, from, routes := dst.(*tensor), x.(*tensor), r.(*routing)
	if to.cols != from.cols {
		mismatch("dispatch: %d columns into %d", from.cols, to.cols)
	}
	to.must("dispatch", routes.Entries())
	from.must("dispatch", routes.rows)
	if routes.rows == 0 {
		return
	}
	const threads = 256
	d.stream.Launch(d.fn.experts.dispatch, [3]uint32{uint32(routes.Entries()), 1, 1}, [3]uint32{threads, 1, 1}, 0,
		d.args.Reset().Pointer(to.at).Pointer(from.at).Pointer(routes.offsets).Pointer(routes.row).Int(routes.experts).Int(to.cols))
}

func (d *device) Combine(dst, x kernels.Tensor, r kernels.Routing, add bool) {
	to, from, routes := dst.(*tensor), x.(*tensor), r.(*routing)
	if to.cols != from.cols {
		mismatch("combine: %d columns into %d", from.cols, to.cols)
	}
	to.must("combine", routes.rows)
	from.must("combine", routes.Entries())
	if routes.rows == 0 {
		return
	}
	adds := 0
	if add {
		adds = 1
	}
	const threads = 256
	d.stream.Launch(d.fn.experts.combine, [3]uint32{uint32(routes.rows), uint32(ceil(to.cols, threads)), 1}, [3]uint32{threads, 1, 1}, 0,
		d.args.Reset().Pointer(to.at).Pointer(from.at).Pointer(routes.place).Pointer(routes.weight).Int(routes.chosen).Int(to.cols).Int(adds))
}
