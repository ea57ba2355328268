package constrain

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sync"
)

// Vocabulary is the bytes of a tokenizer's tokens as a trie. It may be used by
// several goroutines.
//
// The nodes lie in order of their bytes, parents before children, so that a walk
// goes through memory from front to back:
//
//	""  "a"  "ab"  "abc"  "b"  …
//	 depth 0   1    2      3    1
type Vocabulary struct {
	nodes []trieNode
	more  map[int32][]int32 // further tokens of the same bytes, by node
	texts [][]byte          // by token; nil: none that text may have
	ends  []int32           // tokens that end a text
	words int               // of a mask
	// longest is the length of the longest token, in bytes.
	longest int

	mu     sync.Mutex
	common map[maskKey]*inside // of the terminals that all grammars share
}

type trieNode struct {
	token int32 // -1: none
	skip  int32 // the first node that does not begin with this one's bytes
	depth uint16
	b     byte // the last
}

// maxTokenBytes bounds tokens that count; longer ones are left out.
const maxTokenBytes = 1 << 10

// NewVocabulary makes a vocabulary of size tokens. text appends the bytes of a token,
// none of one that no text has, such as a special token; ends are the tokens that
// end a text. It fails if a text cannot be written byte by byte.
func NewVocabulary(size int, text func(dst []byte, id int32) []byte, ends []int32) (*Vocabulary, error) {
	v := &Vocabulary{more: make(map[int32][]int32), texts: make([][]byte, size), words: (size + 31) / 32}
	var order []int32
	for id := range int32(size) {
		if b := text(nil, id); len(b) > 0 && len(b) <= maxTokenBytes && !slices.Contains(ends, id) {
			v.texts[id] = b
			v.longest = max(v.longest, len(b))
			order = append(order, id)
		}
	}
	for _, id := range ends {
		if id >= 0 && int(id) < size {
			v.ends = append(v.ends, id)
		}
	}
	if len(v.ends) == 0 {
		return nil, fmt.Errorf("constrain: no token ends a text")
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(bytes.Compare(v.texts[a], v.texts[b]), cmp.Compare(a, b))
	})
	v.nodes = append(v.nodes, trieNode{token: -1})
	path := []int32{0} // the nodes of the last token, by depth
	var last []byte
	for _, id := range order {
		b := v.texts[id]
		shared := 0
		for shared < len(b) && shared < len(last) && b[shared] == last[shared] {
			shared++
		}
		path = path[:shared+1]
		for i := shared; i < len(b); i++ {
			path = append(path, int32(len(v.nodes)))
			v.nodes = append(v.nodes, trieNode{token: -1, depth: uint16(i + 1), b: b[i]})
		}
		if n := path[len(b)]; v.nodes[n].token < 0 {
			v.nodes[n].token = id
		} else {
			v.more[n] = append(v.more[n], id)
		}
		last = b
	}
	open := []int32{}
	for i := range v.nodes {
		for len(open) > 0 && v.nodes[open[len(open)-1]].depth >= v.nodes[i].depth {
			v.nodes[open[len(open)-1]].skip = int32(i)
			open = open[:len(open)-1]
		}
		open = append(open, int32(i))
	}
	for _, i := range open {
		v.nodes[i].skip = int32(len(v.nodes))
	}
	single := make([]bool, 256)
	for i := int32(1); int(i) < len(v.nodes); i = v.nodes[i].skip {
		single[v.nodes[i].b] = v.nodes[i].token >= 0
	}
	for b := range 256 {
		// Those that UTF-8 and JSON use.
		if used := b == '\t' || b == '\n' || b >= ' ' && b < 0xC0 && b != 0x7F || b >= 0xC2 && b <= 0xF4; used && !single[b] {
			return nil, fmt.Errorf("constrain: no token for the byte 0x%02X", b)
		}
	}
	return v, nil
}

// set sets the bits of the tokens of a node.
func (v *Vocabulary) set(mask []uint32, node int32) {
	token := v.nodes[node].token
	if token < 0 {
		return
	}
	mask[token/32] |= 1 << (token % 32)
	if len(v.more) > 0 {
		for _, token := range v.more[node] {
			mask[token/32] |= 1 << (token % 32)
		}
	}
}
