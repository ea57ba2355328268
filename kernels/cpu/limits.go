package cpu

import (
	"runtime"
	"time"

	"deepprune/kernels"
)

// Limits is the most that a device could do, measured on all of its threads. What
// is not known of a kernel set is 0.
type Limits struct {
	// ReadBytes is the bytes read from memory in a second.
	ReadBytes float64
	// Operations is the multiplications and additions in a second of the innermost
	// instruction of linear layers, by kernels.Format of the weights.
	Operations [len(layouts)]float64
}

// peak is a loop of n rounds of an instruction on registers.
type peak struct {
	run        func(n int)
	operations int // of a round
}

const (
	// A probe is the best of so many of about so many seconds: what else a machine
	// does can only make it slower, and in a short while it may do nothing else.
	probes       = 20
	probeSeconds = 0.002
	// readWords are read by each thread: more than caches hold.
	readWords = 32 << 20
)

// MeasureLimits measures for half a second, about.
func MeasureLimits(opts Options) (Limits, error) {
	dev, err := New(opts)
	if err != nil {
		return Limits{}, err
	}
	defer dev.Close()
	d, l := dev.(*device), Limits{}
	threads := len(d.pool.workers)
	for format, p := range d.set.peaks {
		if p.run == nil {
			continue
		}
		l.Operations[format] = d.probe(func(n int) { p.run(n) }) * float64(p.operations*threads)
	}
	if d.set.read != nil {
		m, err := d.NewMatrix(kernels.F32, threads*panelWidth, readWords/panelWidth, func(i int, dst []float32) { dst[0] = 1 })
		if err != nil {
			return Limits{}, err
		}
		words := m.(*matrix).data
		j := &readJob{read: d.set.read, words: words}
		for range probes {
			start := time.Now()
			d.pool.run(j, ceil(len(words), readChunk))
			l.ReadBytes = max(l.ReadBytes, float64(4*len(words))/time.Since(start).Seconds())
		}
		runtime.KeepAlive(m)
	}
	return l, nil
}

// probe returns the rounds per second and thread of a loop.
func (d *device) probe(run func(n int)) float64 {
	threads := len(d.pool.workers)
	j := &probeJob{run: run, n: 1 << 10}
	best := 0.0
	for i := 0; i < probes; {
		start := time.Now()
		d.pool.run(j, threads)
		seconds := time.Since(start).Seconds()
		if seconds < probeSeconds/2 {
			j.n *= 2
			continue
		}
		best = max(best, float64(j.n)/seconds)
		i++
	}
	return best
}

type probeJob struct {
	run func(n int)
	n   int
}

func (j *probeJob) chunk(*worker, int) { j.run(j.n) }

// readChunk is how many words a thread reads at a time.
const readChunk = 1 << 16

type readJob struct {
	read  func(x []uint32)
	words []uint32
}

func (j *readJob) chunk(_ *worker, i int) {
	j.read(j.words[i*readChunk : min((i+1)*readChunk, len(j.words))])
}
