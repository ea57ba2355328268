package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"deepprune/weights"
)

// ErrSynthetic is returned for the name of no synthetic checkpoint.
var ErrSynthetic = errors.New("no such synthetic checkpoint")

// SyntheticNames lists the names that [Synthetic] knows.
func SyntheticNames() []string { return slices.Sorted(maps.Keys(shapes)) }

// Synthetic returns a checkpoint of the shape of a published model with random
// weights, for measurements of speed and memory where the model itself is not at
// hand. The weights are the same every time and are made as they are read.
//
// They keep activations at the size of their inputs, so that nothing overflows,
// and every token about equally likely. There is no end of text: every trace has
// the length that was asked for. The tokenizer takes a byte for a token and writes
// a word for each other id; the prompt is the question alone. Asked as a judge,
// the model answers at random.
//
// The error wraps [ErrSynthetic] and lists the names, if there is none of this name.
func Synthetic(name string) (*weights.Checkpoint, error) {
	s, ok := shapes[name]
	if !ok {
		return nil, fmt.Errorf("model: %w: %q; there are %s", ErrSynthetic, name, strings.Join(SyntheticNames(), ", "))
	}
	config, err := json.Marshal(s.config())
	if err != nil {
		return nil, fmt.Errorf("model: synthetic checkpoint %q: %w", name, err)
	}
	c, err := ParseConfig(config)
	if err != nil {
		return nil, fmt.Errorf("model: synthetic checkpoint %q: %w", name, err)
	}
	var tensors []*weights.Tensor
	generate := func(tensor string, shape ...int) *weights.Tensor {
		tensors = append(tensors, weights.Generated(tensor, shape, randomRows(tensor, uint64(len(tensors)), shape)))
		return nil
	}
	c.globals(generate)
	for i := range c.Layers {
		c.layer(i, generate)
	}
	return weights.New("random:"+name, map[string][]byte{
		"config.json":         config,
		"tokenizer.json":      syntheticTokenizer(s.vocab),
		"chat_template.jinja": []byte("{% for message in messages %}{{ message['content'] }}{% endfor %}"),
		"judge.json":          []byte(syntheticJudge),
	}, tensors...), nil
}

// syntheticJudge asks with bytes, which the tokenizer has, and cuts as the paper does.
const syntheticJudge = `{"head": "1: ", "mid": "\n2: ", "tail": "\nsame: ", "same": "y", "different": "n",
	"checkpoint": {"tokens": 500, "words": 25}, "threshold": 0.5}`

// randomRows makes the rows of a weight: ones for a norm, zeros for a bias or a sink,
// and for a matrix numbers of variance 1/columns, which keeps the size of what it is
// multiplied with.
//
// Number j of row i is a hash of (tensor, i, j), that of SplitMix64 (Steele, Lea
// and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014), so
// rows can be made in any order and in parallel.
func randomRows(name string, tensor uint64, shape []int) func(i int, dst []float32) {
	if len(shape) == 1 {
		constant := float32(0)
		if strings.HasSuffix(name, "norm.weight") {
			constant = 1
		}
		return func(_ int, dst []float32) {
			for j := range dst {
				dst[j] = constant
			}
		}
	}
	// A uniform number in [-a, a) has the variance a²/3.
	scale := float32(math.Sqrt(3/float64(shape[1]))) / (1 << 31)
	return func(i int, dst []float32) {
		counter := mix64(mix64(tensor) + uint64(i))
		for len(dst) >= 2 {
			counter += 0x9E3779B97F4A7C15
			x := mix64(counter)
			dst[0], dst[1] = scale*float32(int32(x)), scale*float32(int32(x>>32))
			dst = dst[2:]
		}
		if len(dst) == 1 {
			dst[0] = scale * float32(int32(mix64(counter+0x9E3779B97F4A7C15)))
		}
	}
}

// mix64 is the output function of SplitMix64.
func mix64(x uint64) uint64 {
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// syntheticTokenizer is a tokenizer.json without merges: the bytes have the first
// ids, and each id after them has a word that no text is ever encoded to.
func syntheticTokenizer(vocab int) []byte {
	var b strings.Builder
	b.WriteString(`{"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","merges":[],"vocab":{`)
	id := 0
	for r, spelled := range byteOf {
		if spelled >= 0 {
			fmt.Fprintf(&b, "%s%q:%d", separator(id), string(rune(r)), id)
			id++
		}
	}
	var word [8]byte
	for ; id < vocab; id++ {
		at := len(word)
		for n := id; n > 0; n /= 26 {
			at--
			word[at] = 'a' + byte(n%26)
		}
		fmt.Fprintf(&b, `,"Ġ%s":%d`, word[at:], id)
	}
	b.WriteString("}}}")
	return []byte(b.String())
}

func separator(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}
