package prune

import (
	"cmp"
	"errors"
	"fmt"
)

// ErrOption is returned for an option that makes no sense.
var ErrOption = errors.New("invalid option")

// Options are the parameters of all policies; each reads those it names. The zero
// value of a field means its default.
type Options struct {
	// Checkpoint is where traces are held and judged, drawn or cut. Default: the
	// paper's, the 25th reasoning word or 500 tokens. All but none, early-vote
	// and adaptive-consistency.
	Checkpoint Checkpoint `json:"checkpoint"`

	// Threshold is the score above which two traces are predicted to share an
	// answer; default 0.6 (deepprune), 0.5 (deepprune-paper, tau). Higher keeps
	// clusters pure and makes more of them.
	Threshold float64 `json:"threshold,omitempty"`

	// Confidence is how sure it must be that the leading answer stays ahead for
	// no more traces to be looked at; 1 stops only when the vote cannot change.
	// Default 1 (deepprune, early-vote), 0.95 (adaptive-consistency). Of deepconf
	// it is the share of the weighted vote that ends it; default 0.95.
	Confidence float64 `json:"confidence,omitempty"`
	// FirstWave is how many traces may start at once, if that is more than will
	// be needed in any case; default 0. It spends tokens to save time, and which
	// of those not needed had started, or even ended, depends on the slots.
	// deepprune, early-vote.
	FirstWave int `json:"first_wave,omitempty"`
	// Finishers is how many members of the leading cluster finish, if they agree;
	// while they do not, more do. Default 3. deepprune.
	Finishers int `json:"finishers,omitempty"`
	// Spares is how many members of each cluster, beside its keeper, are held for
	// that; default 8, negative for none. deepprune.
	Spares int `json:"spares,omitempty"`
	// MaxKeepers bounds the clusters that have a say; default 6. deepprune.
	MaxKeepers int `json:"max_keepers,omitempty"`
	// Eager lets the finishers of a cluster go on before all clusters are known,
	// as soon as the cluster has that many traces; default 0, never. It saves
	// time, and spends tokens where the cluster turns out not to matter.
	// deepprune.
	Eager int `json:"eager,omitempty"`

	// MaxClusters is K of deepprune-paper; default 32.
	MaxClusters int `json:"max_clusters,omitempty"`
	// Comparisons is K1, the members of a cluster that a trace is compared with;
	// default 10. deepprune-paper.
	Comparisons int `json:"comparisons,omitempty"`
	// Members is K2, the members of the largest cluster that finish; default 20.
	// deepprune-paper.
	Members int `json:"members,omitempty"`
	// Singles is K3, the traces that finish when no two share a cluster. The
	// paper does not give it; default Members. deepprune-paper.
	Singles int `json:"singles,omitempty"`

	// Window is how many tokens the confidence of a trace is averaged over; default
	// the tokens of Checkpoint, else the paper's 2048. It should be a tenth of a
	// trace or so. deepconf.
	Window int `json:"window,omitempty"`
	// Warmup is how many traces run to their end to set the threshold, and how many
	// start together after that; default 16. deepconf.
	Warmup int `json:"warmup,omitempty"`
	// Keep is the share of the first traces that the threshold lets pass, by their
	// least confident windows: 0.1 (default) or 0.9 in the paper. deepconf.
	Keep float64 `json:"keep,omitempty"`

	// Survivors is how many traces go on past the checkpoint: the lowest of
	// scripted, drawn ones of random. Default: a quarter, at least 1.
	Survivors int `json:"survivors,omitempty"`
	// Schedule, if not nil, is what scripted does instead.
	Schedule Schedule `json:"schedule,omitempty"`
}

// maxCount bounds all counts, so that sums and products of them stay numbers.
const maxCount = 1 << 30

// complete checks o and fills it in.
func (k kind) complete(o Options) (Options, error) {
	if o.Checkpoint == (Checkpoint{}) {
		o.Checkpoint = Checkpoint{Tokens: 500, Words: 25}
	}
	if o.Threshold == 0 {
		o.Threshold = cmp.Or(k.threshold, 0.5)
	}
	if o.Confidence == 0 {
		o.Confidence = cmp.Or(k.confidence, 1)
	}
	if o.Keep == 0 {
		o.Keep = 0.1
	}
	switch {
	case o.Spares == 0:
		o.Spares = 8
	case o.Spares < 0:
		o.Spares = 0
	}
	for _, n := range []struct {
		name     string
		value    *int
		standard int
	}{
		{"checkpoint tokens", &o.Checkpoint.Tokens, 0},
		{"checkpoint words", &o.Checkpoint.Words, 0},
		{"first wave", &o.FirstWave, 0},
		{"finishers", &o.Finishers, 3},
		{"max keepers", &o.MaxKeepers, 6},
		{"eager", &o.Eager, 0},
		{"max clusters", &o.MaxClusters, 32},
		{"comparisons", &o.Comparisons, 10},
		{"members", &o.Members, 20},
		{"singles", &o.Singles, cmp.Or(o.Members, 20)},
		{"survivors", &o.Survivors, 0},
		{"window", &o.Window, cmp.Or(o.Checkpoint.Tokens, 2048)},
		{"warm-up", &o.Warmup, 16},
	} {
		if *n.value < 0 {
			return o, fmt.Errorf("%w: %s: %d is negative", ErrOption, n.name, *n.value)
		}
		if *n.value > maxCount {
			return o, fmt.Errorf("%w: %s: %d is more than %d", ErrOption, n.name, *n.value, maxCount)
		}
		if *n.value == 0 {
			*n.value = n.standard
		}
	}
	if !(o.Threshold > 0 && o.Threshold < 1) {
		return o, fmt.Errorf("%w: threshold: %v is not between 0 and 1", ErrOption, o.Threshold)
	}
	if !(o.Keep > 0 && o.Keep < 1) {
		return o, fmt.Errorf("%w: keep: %v is not between 0 and 1", ErrOption, o.Keep)
	}
	if !(o.Confidence > 0.5 && o.Confidence <= 1) {
		return o, fmt.Errorf("%w: confidence: %v is not above 0.5 and at most 1", ErrOption, o.Confidence)
	}
	return o, nil
}
