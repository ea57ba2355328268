package kernels

// A mixture of experts: a router gives every row of a batch a few of many experts,
// linear layers of one shape, and a weight for each.
//
//	x --router--> logits --Route--> routing
//	x --Dispatch--> entries --ExpertLinear, SwiGLU, ExpertLinear--> entries --Combine--> rows
//
// Between Dispatch and Combine a tensor has a row for each entry of the routing: a
// row of the batch and an expert that it chose. Entries are in order of expert, then
// of row, so the rows of an expert lie side by side and its weights are read once
// for all of them.
//
// What becomes of a row depends on the row alone: ties go to the lower expert, and
// Combine adds the experts of a row up in order of expert.

// Experts is the weights of one linear layer of every expert.
type Experts interface {
	Count() int
	Out() int
	In() int
	// Bytes is the device memory held.
	Bytes() int64
}

// Routing is the experts that the rows of a batch have chosen. Methods of the
// device that made it are the only ones that look inside.
type Routing interface {
	// Entries is the number of entries: rows times experts chosen.
	Entries() int
}

// RouterSpec says how a row chooses experts by its logits, one for each expert.
//
// The score of an expert is its logit's share of the softmax, or its sigmoid. A row
// chooses the Chosen experts with the highest scores, Bias added; with Groups, cut
// from the experts in order, only from the ChosenGroups groups with the highest sums
// of their best two. Ties go to the lower expert, or group. The weight of a chosen
// expert is its score without Bias, divided by the sum of the row's weights if
// Normalize is set, times Scale. A NaN logit counts as -Inf.
type RouterSpec struct {
	Chosen    int
	Sigmoid   bool   // instead of softmax
	Bias      Tensor // one row with a column for each expert, or nil
	Normalize bool
	Scale     float32
	// Groups divides the number of experts into groups of two or more; 0 or 1: none.
	Groups, ChosenGroups int
}

// ExpertDevice is the part of a [Device] that mixtures of experts need.
type ExpertDevice interface {
	// NewExperts makes experts of matrices of one shape and format, which it takes over.
	NewExperts(matrices []Matrix) (Experts, error)
	// NewRouting returns a routing for up to rows rows that choose as many of the
	// experts.
	NewRouting(rows, experts, chosen int) (Routing, error)

	// Route chooses experts for the first rows rows of logits, which have a column
	// for each expert.
	Route(r Routing, logits Tensor, spec *RouterSpec, rows int)
	// Dispatch writes the row of x that entry i is of into row i of dst.
	Dispatch(dst, x Tensor, r Routing)
	// ExpertLinear computes dst = x·wᵀ + bias for every entry, with the weights of
	// its expert. bias is nil or has a row for each expert. The arithmetic of a row is
	// that of Linear.
	ExpertLinear(dst, x Tensor, w Experts, bias Tensor, r Routing)
	// Combine writes into each row of dst the sum of the rows of x that are its
	// entries, times their weights, added up in order of expert; if add is set, to
	// what the row holds.
	Combine(dst, x Tensor, r Routing, add bool)
	// ClampedSwiGLU computes dst = g·sigmoid(alpha·g) · (u+1), where a row of gateUp
	// is g and then u, with g at most limit and u between -limit and limit.
	ClampedSwiGLU(dst, gateUp Tensor, rows int, alpha, limit float32)
}
