package prune

import "slices"

// draw is a random 64-bit number that depends on the seed of a group and on what
// it is drawn for, so that it is the same whenever it is drawn. It mixes by the
// finaliser of SplitMix64 (Steele, Lea, Flood 2014).
func draw(seed uint64, keys ...int) uint64 {
	x := seed
	for _, k := range append(keys, len(keys)) {
		x += 0x9e3779b97f4a7c15 * (uint64(k) + 1)
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		x ^= x >> 31
	}
	return x
}

// random is the control for the judge: the same checkpoint, and survivors that
// are drawn instead of chosen.
type random struct {
	settings
	checkpoint Checkpoint
	survivors  int
}

func newRandom(o Options) Policy { return &random{checkpoint: o.Checkpoint, survivors: o.Survivors} }

func (p *random) Name() string              { return "random" }
func (p *random) Checkpoints() []Checkpoint { return []Checkpoint{p.checkpoint} }
func (p *random) NeedsJudge() bool          { return false }
func (p *random) New(k int) Decider {
	return &lottery{k: k, survivors: survivors(p.survivors, k)}
}

type lottery struct {
	k, survivors int
	lucky        []bool // by trace
	actions      [1]Action
}

// choose draws the survivors, without regard to what the traces do.
func (d *lottery) choose(seed uint64) {
	if d.lucky != nil {
		return
	}
	order := make([]int, d.k)
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if x, y := draw(seed, a), draw(seed, b); x < y {
			return -1
		} else if x > y {
			return 1
		}
		return a - b
	})
	d.lucky = make([]bool, d.k)
	for _, i := range order[:d.survivors] {
		d.lucky[i] = true
	}
}

func (d *lottery) Decide(ev Event, s *Snapshot) []Action {
	if ev.Kind != Reached {
		return nil
	}
	d.choose(s.Seed)
	d.actions[0] = Action{Kind: Stop, Trace: ev.Trace, Keeper: -1, Reason: ReasonControl}
	if d.lucky[ev.Trace] {
		d.actions[0] = Action{Kind: Resume, Trace: ev.Trace, Keeper: -1}
	}
	return d.actions[:]
}

// Votes gives the survivors a vote each. Who ended before the checkpoint without
// being one has none.
func (d *lottery) Votes(s *Snapshot) []Ballot {
	d.choose(s.Seed)
	return slices.DeleteFunc(ballots(s), func(b Ballot) bool { return !d.lucky[b.Trace] })
}

func (d *lottery) Clusters() []Cluster { return nil }
