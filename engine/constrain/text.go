package constrain

import (
	"unicode/utf8"
)

// text is the terminal of a JSON string of min to max characters, quotes included.
// Characters are those of the string that it stands for: an escape is one, and so
// are the two escapes of a surrogate pair. What is written is UTF-8, and surrogates
// come in pairs (RFC 8259, sections 7 and 8).
//
// A state is textStart, textEnd, or textFirst + count*parts + part.
type text struct{ min, max int32 } // max < 0: no bound

// anyText is every string.
var anyText = &text{0, -1}

const (
	textStart = iota
	textEnd
	textFirst
)

// The parts of a character that a state can be in.
const (
	partNone    = iota
	partEscape  // \
	partHex4    // \u
	partHex3    // \u and a digit that begins no surrogate
	partHex2    // two digits are left
	partHex1    // one is
	partHexD    // \ud
	partHigh2   // of a high surrogate two digits are left
	partHigh1   // one is
	partPair    // after a high surrogate
	partPairU   // \ after it
	partLow4    // \u after it
	partLow3    // \ud after it
	partLow2    // two digits of the low surrogate are left
	partLow1    // one is
	partCont1   // one continuation byte is left (RFC 3629)
	partCont2   // two are
	partCont3   // three are
	partAfterE0 // the next is A0 to BF
	partAfterED // 80 to 9F
	partAfterF0 // 90 to BF
	partAfterF4 // 80 to 8F
	parts
)

func isHex(b byte) bool { return '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'f' }

// partTable is what follows each part, dead for nothing. The end of a character
// is partNone. partNone itself does not take the quote.
var partTable = makePartTable()

func makePartTable() *[parts][256]int8 {
	var t [parts][256]int8
	for part := range t {
		for b := range 256 {
			t[part][b] = nextPart(part, byte(b))
		}
	}
	return &t
}

func nextPart(part int, b byte) int8 {
	hex := func(to int8) int8 {
		if isHex(b) {
			return to
		}
		return dead
	}
	is := func(ok bool, to int8) int8 {
		if ok {
			return to
		}
		return dead
	}
	cont := b >= 0x80 && b <= 0xBF
	switch part {
	case partNone:
		switch {
		case b == '\\':
			return partEscape
		case b < 0x20 || b == '"':
			return dead
		case b < 0x80:
			return partNone
		case b >= 0xC2 && b <= 0xDF:
			return partCont1
		case b == 0xE0:
			return partAfterE0
		case b == 0xED:
			return partAfterED
		case b >= 0xE1 && b <= 0xEF:
			return partCont2
		case b == 0xF0:
			return partAfterF0
		case b >= 0xF1 && b <= 0xF3:
			return partCont3
		case b == 0xF4:
			return partAfterF4
		}
		return dead
	case partEscape:
		switch b {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			return partNone
		case 'u':
			return partHex4
		}
		return dead
	case partHex4:
		if b|0x20 == 'd' {
			return partHexD
		}
		return hex(partHex3)
	case partHex3:
		return hex(partHex2)
	case partHex2:
		return hex(partHex1)
	case partHex1:
		return hex(partNone)
	case partHexD:
		switch {
		case b >= '0' && b <= '7':
			return partHex2
		case b == '8' || b == '9' || b|0x20 == 'a' || b|0x20 == 'b':
			return partHigh2
		}
		return dead
	case partHigh2:
		return hex(partHigh1)
	case partHigh1:
		return hex(partPair)
	case partPair:
		return is(b == '\\', partPairU)
	case partPairU:
		return is(b == 'u', partLow4)
	case partLow4:
		return is(b|0x20 == 'd', partLow3)
	case partLow3:
		return is(b|0x20 >= 'c' && b|0x20 <= 'f', partLow2)
	case partLow2:
		return hex(partLow1)
	case partLow1:
		return hex(partNone)
	case partCont1:
		return is(cont, partNone)
	case partCont2:
		return is(cont, partCont1)
	case partCont3:
		return is(cont, partCont2)
	case partAfterE0:
		return is(cont && b >= 0xA0, partCont1)
	case partAfterED:
		return is(cont && b <= 0x9F, partCont1)
	case partAfterF0:
		return is(cont && b >= 0x90, partCont2)
	case partAfterF4:
		return is(cont && b <= 0x8F, partCont2)
	}
	return dead
}

func (t *text) start() int32 { return textStart }

func (t *text) accepts(s int32) bool { return s == textEnd }

func (t *text) final(s int32) bool { return s == textEnd }

func (t *text) step(s int32, b byte) int32 {
	switch s {
	case textStart:
		if b == '"' {
			return textFirst
		}
		return dead
	case textEnd:
		return dead
	}
	count, part := int32(0), s-textFirst
	if part >= parts { // most texts have no limits, and count nothing
		count, part = part/parts, part%parts
	}
	if part == partNone {
		if b == '"' {
			if count < t.min {
				return dead
			}
			return textEnd
		}
		if count == t.max {
			return dead
		}
	}
	next := partTable[part][b]
	if next == dead {
		return dead
	}
	if next == partNone && (t.max >= 0 || count < t.min) {
		count++
	}
	return textFirst + count*parts + int32(next)
}

// like moves the count to where limits that are further off than n bytes are as
// far off as can be.
func (t *text) like(s int32, n int) int32 {
	if s < textFirst {
		return s
	}
	count, part := (s-textFirst)/parts, (s-textFirst)%parts
	far := int32(n) + 1
	switch {
	case t.max >= 0 && t.max-count < far:
	case count >= t.min && (t.max < 0 || t.max-t.min >= far):
		count = t.min
	case t.min-count >= far:
		count = 0
	}
	return textFirst + count*parts + part
}

// key is the same for text terminals whose limits are as far off.
func (t *text) key(s int32, n int) maskKey {
	if s < textFirst {
		return maskKey{state: int64(s) | t.limits(0, n)<<8}
	}
	count, part := (s-textFirst)/parts, (s-textFirst)%parts
	return maskKey{state: int64(textFirst+part) | t.limits(count, n)<<8}
}

// limits packs how far off the limits are, as far as n bytes see.
func (t *text) limits(count int32, n int) int64 {
	far := int64(n) + 1
	least := min(max(int64(t.min-count), 0), far)
	most := far
	if t.max >= 0 {
		most = min(int64(t.max-count), far)
	}
	return least<<24 | most
}

// otherName is the automaton of the strings that are none of names, written
// without escapes.
func otherName(names []string, b *budget) (*dfa, error) {
	var t table
	t.add(false)       // before the quote
	end := t.add(true) // after the last quote
	var free [parts]int32
	for part := range free {
		free[part] = t.add(false) // the names are ruled out
	}
	follow := func(s int32, part int8, quote bool) {
		for b := range 256 {
			if next := partTable[part][b]; next != dead && b != '\\' && t.rows[s][b] == dead {
				t.rows[s][b] = free[next]
			}
		}
		if quote && part == partNone {
			t.rows[s]['"'] = end
		}
	}
	for part, s := range free {
		follow(s, int8(part), true)
	}
	type node struct {
		part int8
		name bool
	}
	body := t.add(false)
	t.rows[0]['"'] = body
	nodes := map[int32]*node{body: {}}
	order := []int32{body}
	for _, name := range names {
		if string(appendQuoted(nil, name)) != `"`+name+`"` {
			continue // it needs escapes
		}
		s := body
		for i := range len(name) {
			to := t.rows[s][name[i]]
			if to == dead {
				var err error
				if to, err = t.grow(false, b); err != nil {
					return nil, err
				}
				t.rows[s][name[i]] = to
				nodes[to] = &node{part: partTable[nodes[s].part][name[i]]}
				order = append(order, to)
			}
			s = to
		}
		nodes[s].name = true
	}
	for _, s := range order {
		follow(s, nodes[s].part, !nodes[s].name)
	}
	return t.finish()
}

// appendStringRune appends a character as it stands in a JSON string.
func appendStringRune(dst []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	switch {
	case r == '"' || r == '\\':
		return append(dst, '\\', byte(r))
	case r == '\b':
		return append(dst, '\\', 'b')
	case r == '\f':
		return append(dst, '\\', 'f')
	case r == '\n':
		return append(dst, '\\', 'n')
	case r == '\r':
		return append(dst, '\\', 'r')
	case r == '\t':
		return append(dst, '\\', 't')
	case r < ' ':
		return append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
	}
	return utf8.AppendRune(dst, r)
}
