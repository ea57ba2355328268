// Package kernels defines what a decoder needs of the device it runs on.
//
// [Device] is the one interface between the model code, which is written once,
// and the arithmetic, which is written for each device: kernels/cpu is the
// reference and the default. kernels/kerneltest is the conformance suite that
// every device passes.
//
// # Determinism
//
// Every row's arithmetic has a fixed order of operations, whatever else is in
// the batch: the order of summation of a linear layer depends on the shape of
// its weight alone, and attention is computed in partitions of [PartitionKeys]
// keys at fixed absolute positions, which are merged in order of position. A row
// therefore has the same bits alone, in a batch, in a prefill chunk, for any
// number of threads, and whether or not a partition is shared with other rows.
// The bits may differ between devices and between kernel sets of one device.
//
// # Concurrency
//
// A Device may be used by one goroutine at a time. Operations are queued in
// order; Read and Sample wait for all that was queued before them. Operations
// check shapes and panic on a mismatch, since that is a mistake in the program;
// what depends on the outside (memory, drivers) returns an error.
package kernels

// BlockSize is the number of tokens in a KV block.
const BlockSize = 16

// PartitionKeys is the number of keys in a partition of attention. A partition
// holds the keys at the absolute positions [i*PartitionKeys, (i+1)*PartitionKeys).
const PartitionKeys = 64

// PartitionBlocks is the number of blocks in a partition.
const PartitionBlocks = PartitionKeys / BlockSize

// Info describes a device to a person.
type Info struct {
	Kind    string `json:"kind"`    // "cpu", "cuda"
	Name    string `json:"name"`    // as the maker calls it
	Kernels string `json:"kernels"` // the kernel set in use, "avx512", "avx2", "go"
	Threads int    `json:"threads"` // workers of a CPU device
}

// Tensor is a row-major float32 array in a device's memory. Methods of the
// device that made it are the only ones that look inside.
type Tensor interface {
	Rows() int
	Cols() int
}

// Matrix is the weight of a linear layer, out rows by in columns, in whatever
// layout the device prefers.
type Matrix interface {
	Out() int
	In() int
	Format() Format
	// Bytes is the device memory held.
	Bytes() int64
}

// Arena is one allocation of device memory that KV blocks are carved from. Its
// use is bookkept by package kvcache.
type Arena interface {
	Bytes() int64
}

// KV is a view of an arena as the KV blocks of one model.
type KV struct {
	Arena Arena
	KVLayout
	PageBytes int64 // the arena is cut into pages; a page holds blocks of one model
}

// KVLayout is the KV geometry of a model.
type KVLayout struct {
	Layers, KVHeads, HeadDim int
	Format                   Format // of keys and values, one of KVFormats
}

// KVFormats lists the formats of keys and values.
func KVFormats() []Format { return []Format{F32, BF16, Int8} }

// HeadBytes is the size of the keys and values of BlockSize tokens in a KV head of
// a layer. In Int8 each key and each value has a scale in float32, its largest
// number over 127, and is rounded to the nearest multiples of it, ties to even.
func (l KVLayout) HeadBytes() int64 {
	if l.Format == Int8 {
		return 2 * BlockSize * (int64(l.HeadDim) + 4)
	}
	return 2 * BlockSize * l.Format.Bytes(int64(l.HeadDim))
}

// BlockBytes is the size of a block: keys and values of BlockSize tokens in all
// layers.
func (l KVLayout) BlockBytes() int64 {
	return int64(l.Layers) * int64(l.KVHeads) * l.HeadBytes()
}

// Offset is the byte offset of block id in the arena. Blocks are numbered page
// by page, BlocksPerPage to a page.
func (v KV) Offset(id int32) int64 {
	n := int32(v.PageBytes / v.BlockBytes())
	return int64(id/n)*v.PageBytes + int64(id%n)*v.BlockBytes()
}

// AttentionSpec is the shape of an attention layer. Head h of a query reads key
// and value head h / (Heads/KVHeads). HeadDim is a multiple of 16.
type AttentionSpec struct {
	Heads, KVHeads, HeadDim int
	Scale                   float32 // multiplies q·k
	// Window bounds what a row sees: at position p the last Window keys, the one at
	// p included, which are those at positions above p-Window. 0: all of them.
	Window int
	// Sinks has one row with a column per head, or is nil: a logit, not multiplied
	// by Scale, that joins the denominator of the head's softmax and nothing else
	// (Xiao et al., "Efficient streaming language models with attention sinks",
	// arXiv 2309.17453; learned, as gpt-oss has them).
	Sinks Tensor
}

// RotarySpec says how queries and keys are normalised and rotated.
type RotarySpec struct {
	AttentionSpec
	// Cos and Sin have a row per position and HeadDim/2 columns. Element i of a
	// head is paired with element i+HeadDim/2 (the "half-split" convention of
	// Hugging Face checkpoints):
	//   y[i] = x[i]cos - x[i+d/2]sin;  y[i+d/2] = x[i+d/2]cos + x[i]sin
	Cos, Sin Tensor
	// QNorm and KNorm are RMSNorm weights of one row and HeadDim columns applied
	// to every head before the rotation, nil for none.
	QNorm, KNorm Tensor
	Eps          float32
}

// SampleParams says how to draw one token from a row of logits.
//
// The order is: adjust the logits as Adjust says; divide by Temperature; keep the
// TopK largest; keep the smallest set of the most likely of these whose share of
// their probability reaches TopP; drop tokens less likely than MinP times the most
// likely; draw with Uniform(Seed, Trace, Position). Ties are broken by the lower
// token id.
//
// A NaN logit counts as -Inf, which is never drawn. If the largest logit is not
// finite, the token is the first that has it, of those allowed; token 0 if none is.
type SampleParams struct {
	Temperature float32 // 0 or less: the most likely token
	TopK        int32   // 0: all
	TopP        float32 // 0 or 1: all
	MinP        float32 // 0: all
	Seed        uint64
	Trace       uint32
	Position    uint32
	// Confidence asks for Sampled.Confidence over so many tokens; 0: none.
	Confidence int32
	// Forced is 1 + the token that is taken instead of a draw, for its
	// log-probability; 0: draw.
	Forced int32
	// Adjust changes the logits before the draw, and those alone: not what
	// log-probabilities and confidences are made of. nil: as they are.
	Adjust *Adjustment
}

// Adjustment changes the logits of a row before a token is drawn. For the logit l
// of a token, in float32, every operation rounded for itself:
//
//	l = l / Repetition, or l * Repetition if l < 0       of the tokens of Counts
//	l = l - (Count*Frequency + Presence)                 of those whose Count > 0
//	l = l + Add                                          of the tokens of Bias
//	l = -Inf                                             of tokens that are not Allowed
//
// A device does not keep it beyond the call.
type Adjustment struct {
	Repetition          float32 // above 0; 1: none
	Presence, Frequency float32
	Counts              []TokenCount // no token twice
	Bias                []TokenBias  // no token twice
	// Allowed has the bit t%32 of word t/32 set for a token t that may be drawn;
	// beyond its end there is none. nil: all tokens may.
	Allowed []uint32
}

// TokenCount is how often a token was generated.
type TokenCount struct{ Token, Count int32 }

// TokenBias is what is added to the logit of a token.
type TokenBias struct {
	Token int32
	Add   float32
}

// Sampled is a drawn token and its log-probability under the full softmax of
// the raw logits (temperature 1, no adjustment, no filter).
//
// Where that softmax is not defined, 0 stands for the log-probability of a logit
// of +Inf, and -MaxFloat32 for that of -Inf, of NaN and of all beside +Inf.
type Sampled struct {
	Token   int32
	LogProb float32
	// Confidence is the mean of -log p over the SampleParams.Confidence likeliest
	// tokens, p as for LogProb: the more one token stands out, the higher it is
	// (DeepConf, arXiv 2508.15260). 0 if it was not asked for.
	Confidence float32
	// Top is memory of the caller's that is filled with the len(Top) likeliest
	// tokens, p as for LogProb, the most likely first; nil: none are asked for. If
	// there are not so many with a logit above -Inf, the rest is token -1 with
	// -MaxFloat32.
	Top []TokenLogProb
}

// TokenLogProb is a token and its log-probability.
type TokenLogProb struct {
	Token   int32
	LogProb float32
}

// Device runs the operations of a decoder.
type Device interface {
	Info() Info
	Close() error

	// NewTensor returns a tensor of zeros.
	NewTensor(rows, cols int) (Tensor, error)
	// Upload copies data (rows*cols values) into a new tensor.
	Upload(data []float32, rows, cols int) (Tensor, error)
	// NewMatrix makes a weight, kept in format. fill writes row i of the weight
	// into dst, which has in elements; it is called once for each row, from
	// several goroutines.
	NewMatrix(format Format, out, in int, fill func(i int, dst []float32)) (Matrix, error)
	// NewArena allocates memory for KV blocks, zeroed.
	NewArena(bytes int64) (Arena, error)
	// CopyBlock copies a block within an arena (copy on write).
	CopyBlock(kv KV, dst, src int32)

	// Embed writes row tokens[i] of the table, as it is kept, into row i of dst.
	Embed(dst Tensor, table Matrix, tokens []int32)
	// Gather writes row rows[i] of src into row i of dst.
	Gather(dst, src Tensor, rows []int32)
	// RMSNorm writes x / sqrt(mean(x²)+eps) * weight into dst, for the first rows rows.
	RMSNorm(dst, x, weight Tensor, rows int, eps float32)
	// AddRMSNorm adds x to residual, then normalises residual into dst.
	AddRMSNorm(dst, residual, x, weight Tensor, rows int, eps float32)
	// Linear computes dst = x·wᵀ + bias for the first rows rows, x rounded as
	// w.Format() says. bias is nil or has one row of w.Out() columns.
	Linear(dst, x Tensor, w Matrix, bias Tensor, rows int)
	// RotaryWriteKV takes rows of q, k and v heads side by side
	// (Heads+2*KVHeads heads of HeadDim), normalises and rotates q and k in
	// place, and writes k and v into the rows' KV slots.
	RotaryWriteKV(qkv Tensor, spec *RotarySpec, kv KV, layer int, b *Batch)
	// Attention reads q from qkv and keys and values from kv; row r sees the
	// keys at positions 0 to b.Positions[r], or the last of them by spec.Window.
	// Whatever a key or value that no row sees holds does no harm, and partitions
	// that no row sees are not read. dst has Heads*HeadDim columns.
	Attention(dst, qkv Tensor, spec *AttentionSpec, kv KV, layer int, b *Batch)
	// SwiGLU computes dst = silu(g) * u, where a row of gateUp is g and then u.
	SwiGLU(dst, gateUp Tensor, rows int)

	ExpertDevice

	// Sample draws a token from each of the first len(params) rows of logits, which
	// stay as they are. out has the memory for what is asked for beside it.
	Sample(logits Tensor, params []SampleParams, out []Sampled)
	// Read copies a row, or its first len(dst) columns, to the host.
	Read(t Tensor, row int, dst []float32)
}
