//go:build cuda

package cuda

import (
	"math"
	"math/bits"
	"unsafe"

	"deepprune/kernels"
	"deepprune/kernels/cuda/driver"
)

// sampleFunctions are the kernels of sampling, in the order in which they run.
type sampleFunctions struct {
	allow, adjust, pieces, draw driver.Function
}

func (f *sampleFunctions) load(l *loader) {
	f.allow, f.adjust = l.function("sample_allow"), l.function("sample_adjust")
	f.pieces, f.draw = l.function("sample_pieces"), l.function("sample_draw")
}

// These are Row, Adjustment, Result and Likely of src/sample*.
type (
	sampleRow struct {
		seed            uint64
		minLogit        float64
		trace, position uint32
		scale, topP     float32
		topK            int32
		listed, list    int32
		forced          int32
		adjusted        int32
		fallback        int32
		does            int32
		_               int32
	}
	sampleAdjustment struct {
		row                             int32
		repetition, presence, frequency float32
		counts, counted                 int32
		biases, biased                  int32
		allowed, words                  int32
		_                               [2]int32
	}
	sampleResult struct {
		z          float64
		max, logit float32
		token      int32
		listed     int32
	}
	sampleLikely struct {
		token int32
		logit float32
	}
)

// What a row does.
const (
	sampleDraws = 1 << iota
	sampleByCount
	sampleByMass
	sampleByLogit
	sampleFilters
)

const (
	samplePiece    = 256 // logits
	sampleMostCols = 1 << 20
	// A run of the kernels has so many rows at most, and so many bytes of adjusted ones.
	sampleMostRows      = 4096
	sampleAdjustedBytes = 64 << 20
)

// sampleState is what Sample hands to the device, what it gets back, and scratch memory.
type sampleState struct {
	runs        []sampleRun
	rows        []sampleRow
	adjustments []sampleAdjustment
	words       []uint32 // of all adjustments: tokens and counts, tokens and biases, bits
	results     []sampleResult
	likely      []sampleLikely

	onDevice struct {
		rows, adjustments, words buffer
		pieces, adjusted         buffer // of a run
		made                     buffer // results, and then likely
	}
}

// sampleRun is the rows that the kernels take at once, and the adjustments of them.
type sampleRun struct{ row, rows, adjustment, adjusted int }

// Sample reads the logits once, a warp to a piece of a row, and then draws, a block to a
// row: see src/sample_draw.cu. What needs only a row's largest logit and the sum of its
// weights is done here.
func (d *device) Sample(logits kernels.Tensor, params []kernels.SampleParams, out []kernels.Sampled) {
	t, s := logits.(*tensor), &d.sample
	t.must("sample", len(params))
	if len(out) < len(params) {
		mismatch("sample: %d results for %d rows", len(out), len(params))
	}
	if t.cols > sampleMostCols {
		mismatch("sample: %d logits; there may be %d", t.cols, sampleMostCols)
	}
	if len(params) == 0 {
		return
	}
	s.fill(t.cols, params, out)
	on, results, likely := &s.onDevice, bytesOf(s.results), bytesOf(s.likely)
	upload(d, &on.rows, s.rows)
	upload(d, &on.adjustments, s.adjustments)
	upload(d, &on.words, s.words)
	d.reserve(&on.made, int64(len(results)+len(likely)))
	for _, run := range s.runs {
		d.sampleRun(t, run)
	}
	d.fetch(on.made.at, results, likely)
	for i := range params {
		s.results[i].finish(&params[i], s.likely[s.rows[i].list:], &out[i])
	}
}

// fetch waits for the device and copies memory that lies side by side there.
func (d *device) fetch(at driver.Pointer, parts ...[]byte) {
	have := d.result[:0]
	left := 0
	for _, p := range parts {
		left += len(p)
	}
	for _, p := range parts {
		for len(p) > 0 {
			if len(have) == 0 {
				have = d.result[:min(left, len(d.result))]
				d.stream.Download(have, at)
				d.wait()
				at, left = at+driver.Pointer(len(have)), left-len(have)
			}
			n := copy(p, have)
			p, have = p[n:], have[n:]
		}
	}
}

// fill makes the tables of rows with so many logits.
func (s *sampleState) fill(cols int, params []kernels.SampleParams, out []kernels.Sampled) {
	s.runs, s.rows = append(s.runs[:0], sampleRun{}), s.rows[:0]
	s.adjustments, s.words = s.adjustments[:0], s.words[:0]
	listed := 0
	for i := range params {
		p, run := &params[i], &s.runs[len(s.runs)-1]
		if run.rows == sampleMostRows || p.Adjust != nil && run.adjusted > 0 && 4*(run.adjusted+1)*cols > sampleAdjustedBytes {
			s.runs = append(s.runs, sampleRun{row: i, adjustment: len(s.adjustments)})
			run = &s.runs[len(s.runs)-1]
		}
		r := newSampleRow(p, cols)
		if p.Adjust != nil && p.Forced == 0 {
			r.adjusted, r.fallback = int32(run.adjusted), firstAllowed(p.Adjust.Allowed, cols)
			s.adjust(run.rows, p.Adjust)
			run.adjusted++
		}
		r.listed, r.list = int32(min(max(int(p.Confidence), len(out[i].Top)), cols)), int32(listed)
		listed += int(r.listed)
		s.rows = append(s.rows, r)
		run.rows++
	}
	s.results, s.likely = resize(s.results, len(params)), resize(s.likely, listed)
}

// newSampleRow is what the parameters say of a row that is not adjusted.
func newSampleRow(p *kernels.SampleParams, cols int) sampleRow {
	if int(p.Forced) > cols {
		mismatch("sample: token %d of %d is forced", p.Forced-1, cols)
	}
	r := sampleRow{
		seed: p.Seed, trace: p.Trace, position: p.Position,
		scale: 1, topP: p.TopP, topK: p.TopK, forced: p.Forced, adjusted: -1,
	}
	scale := 1 / p.Temperature
	if p.Forced > 0 || !(p.Temperature > 0) || math.IsInf(float64(scale), 0) {
		return r
	}
	r.scale, r.does = scale, sampleDraws
	if p.TopK > 0 && int(p.TopK) < cols {
		r.does |= sampleByCount | sampleFilters
	}
	if p.TopP > 0 && p.TopP < 1 {
		r.does |= sampleByMass | sampleFilters
	}
	if p.MinP > 0 {
		r.does |= sampleByLogit | sampleFilters
		r.minLogit = float64(p.Temperature) * math.Log(float64(min(p.MinP, 1)))
	}
	return r
}

// adjust appends the adjustment of a row of a run.
func (s *sampleState) adjust(row int, a *kernels.Adjustment) {
	to := sampleAdjustment{row: int32(row), repetition: a.Repetition, presence: a.Presence, frequency: a.Frequency, words: -1}
	to.counts, to.counted = int32(len(s.words)), int32(len(a.Counts))
	for _, c := range a.Counts {
		s.words = append(s.words, uint32(c.Token), uint32(c.Count))
	}
	to.biases, to.biased = int32(len(s.words)), int32(len(a.Bias))
	for _, b := range a.Bias {
		s.words = append(s.words, uint32(b.Token), math.Float32bits(b.Add))
	}
	if a.Allowed != nil {
		to.allowed, to.words = int32(len(s.words)), int32(len(a.Allowed))
		s.words = append(s.words, a.Allowed...)
	}
	s.adjustments = append(s.adjustments, to)
}

// firstAllowed is the first token of so many that is allowed, 0 if all or none are.
func firstAllowed(allowed []uint32, tokens int) int32 {
	for i, word := range allowed {
		if word != 0 {
			if token := 32*i + bits.TrailingZeros32(word); token < tokens {
				return int32(token)
			}
			return 0
		}
	}
	return 0
}

// sampleRun runs the kernels over some rows.
func (d *device) sampleRun(t *tensor, run sampleRun) {
	const threads = 256
	s, f := &d.sample.onDevice, &d.fn.sample
	pieces := (t.cols + samplePiece - 1) / samplePiece
	d.reserve(&s.pieces, int64(run.rows*pieces)*16)
	logits, rows := t.row(run.row), at(&s.rows, d.sample.rows, run.row)
	if run.adjusted > 0 {
		d.reserve(&s.adjusted, int64(run.adjusted*t.cols)*4)
		adjustments := at(&s.adjustments, d.sample.adjustments, run.adjustment)
		d.stream.Launch(f.allow, [3]uint32{uint32(min((t.cols+threads-1)/threads, 128)), uint32(run.adjusted), 1}, [3]uint32{threads, 1, 1}, 0,
			d.args.Reset().Pointer(s.adjusted.at).Pointer(logits).Pointer(adjustments).Pointer(s.words.at).Int(t.cols))
		d.stream.Launch(f.adjust, [3]uint32{uint32(run.adjusted), 1, 1}, [3]uint32{threads, 1, 1}, 0,
			d.args.Reset().Pointer(s.adjusted.at).Pointer(adjustments).Pointer(s.words.at).Int(t.cols))
	}
	const piecesPerBlock = threads / 32
	d.stream.Launch(f.pieces, [3]uint32{uint32(ceil(pieces, piecesPerBlock)), uint32(run.rows), 1}, [3]uint32{threads, 1, 1}, 0,
		d.args.Reset().Pointer(s.pieces.at).Pointer(logits).Pointer(s.adjusted.at).Pointer(rows).Int(t.cols))
	results := at(&s.made, d.sample.results, run.row)
	likely := at(&s.made, d.sample.results, len(d.sample.results))
	warps := max(1, min(t.cols/512, threads/32)) // the token is the same with any number
	d.stream.Launch(f.draw, [3]uint32{uint32(run.rows), 1, 1}, [3]uint32{uint32(32 * warps), 1, 1}, 0,
		d.args.Reset().Pointer(results).Pointer(likely).Pointer(s.pieces.at).Pointer(logits).Pointer(s.adjusted.at).Pointer(rows).Int(t.cols))
}

// at is where element i of data is in a buffer that begins with data.
func at[T any](b *buffer, data []T, i int) driver.Pointer {
	var t T
	return b.at + driver.Pointer(uintptr(i)*unsafe.Sizeof(t))
}

// finish says what became of a row.
func (r *sampleResult) finish(p *kernels.SampleParams, likely []sampleLikely, out *kernels.Sampled) {
	logZ := math.Log(r.z)
	likely = likely[:r.listed]
	out.Token, out.LogProb, out.Confidence = r.token, r.logProb(r.logit, logZ), 0
	if p.Confidence > 0 && !math.IsInf(float64(r.max), 0) {
		sum, n := 0.0, min(int(p.Confidence), len(likely))
		for _, l := range likely[:n] {
			sum += float64(l.logit - r.max)
		}
		out.Confidence = float32(logZ - sum/float64(n))
	}
	for i := range out.Top {
		out.Top[i] = kernels.TokenLogProb{Token: -1, LogProb: -math.MaxFloat32}
		if i < len(likely) {
			out.Top[i] = kernels.TokenLogProb{Token: likely[i].token, LogProb: r.logProb(likely[i].logit, logZ)}
		}
	}
}

// logProb is the log-probability of a logit, logZ the logarithm of z.
func (r *sampleResult) logProb(logit float32, logZ float64) float32 {
	switch {
	case math.IsInf(float64(logit), 1):
		return 0
	case math.IsInf(float64(r.max), 1) || logit < -math.MaxFloat32:
		return -math.MaxFloat32
	}
	return float32(max(float64(logit)-float64(r.max)-logZ, -math.MaxFloat32))
}
