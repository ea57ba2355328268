package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// scanner reads a tokenizer.json, whose two long lists package encoding/json
// takes several times longer for. The first error ends it.
type scanner struct {
	data []byte
	at   int
}

// peek skips space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) expected(what string) error {
	if s.peek() == 0 {
		return fmt.Errorf("byte %d: %s expected, not the end", s.at, what)
	}
	return fmt.Errorf("byte %d: %s expected, not %q", s.at, what, s.data[s.at])
}

// object calls member at the value of every member. The key is good until then.
func (s *scanner) object(member func(key []byte) error) error {
	if !s.take('{') {
		return s.expected("an object")
	}
	if s.take('}') {
		return nil
	}
	for {
		key, err := s.text()
		if err != nil {
			return err
		}
		if !s.take(':') {
			return s.expected("a colon")
		}
		if err := member(key); err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return s.expected("a comma or a brace")
		}
	}
}

// list calls element at every element.
func (s *scanner) list(element func() error) error {
	if !s.take('[') {
		return s.expected("a list")
	}
	if s.take(']') {
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return s.expected("a comma or a bracket")
		}
	}
}

// text reads a string. It may be a part of the data.
func (s *scanner) text() ([]byte, error) {
	if s.peek() != '"' {
		return nil, s.expected("a string")
	}
	begin := s.at
	escaped, err := s.skipText()
	if err != nil {
		return nil, err
	}
	plain := s.data[begin+1 : s.at-1]
	if !escaped {
		return plain, nil
	}
	var out string
	if err := json.Unmarshal(s.data[begin:s.at], &out); err != nil {
		return nil, fmt.Errorf("byte %d: %w", begin, err)
	}
	return []byte(out), nil
}

// skipText skips a string. It reports whether there are escapes, which it has not
// looked into.
func (s *scanner) skipText() (escaped bool, err error) {
	for i := s.at + 1; i < len(s.data); i++ {
		switch c := s.data[i]; {
		case c == '"':
			s.at = i + 1
			return escaped, nil
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			return false, fmt.Errorf("byte %d: a control character in a string", i)
		}
	}
	return false, errors.New("a string without an end")
}

// id reads a whole number from 0 to 2^31-1.
func (s *scanner) id() (int32, error) {
	c := s.peek()
	begin, v := s.at, 0
	for s.at < len(s.data) && '0' <= s.data[s.at] && s.data[s.at] <= '9' && s.at-begin < 10 {
		v = 10*v + int(s.data[s.at]-'0')
		s.at++
	}
	switch {
	case s.at == begin || c == '0' && s.at-begin > 1 || v > 1<<31-1:
		return 0, errors.New("not an id")
	case s.at < len(s.data):
		switch s.data[s.at] {
		case ' ', '\t', '\n', '\r', ',', '}', ']':
		default:
			return 0, errors.New("not an id")
		}
	}
	return int32(v), nil
}

// value skips a value and returns it. Of its grammar it knows the brackets and
// strings alone.
func (s *scanner) value() ([]byte, error) {
	s.peek()
	begin, depth := s.at, 0
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case '"':
			if _, err := s.skipText(); err != nil {
				return nil, err
			}
			if depth == 0 {
				return s.data[begin:s.at], nil
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				s.at++
				return s.data[begin:s.at], nil
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return s.data[begin:s.at], nil
			}
		}
		if depth < 0 {
			break
		}
		s.at++
	}
	if depth > 0 || s.at == begin {
		return nil, s.expected("a value")
	}
	return s.data[begin:s.at], nil
}

// read reads a value into v as package encoding/json does.
func (s *scanner) read(v any) error {
	raw, err := s.value()
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, v)
}

// pair reads "a b" or ["a", "b"].
func (s *scanner) pair() (left, right []byte, err error) {
	errPair := errors.New("not a pair of tokens")
	if s.peek() == '"' {
		both, err := s.text()
		if err != nil {
			return nil, nil, err
		}
		for i, c := range both {
			if c != ' ' {
				continue
			}
			left, right = both[:i], both[i+1:]
			if len(left) == 0 || len(right) == 0 || hasSpace(right) {
				break
			}
			return left, right, nil
		}
		return nil, nil, errPair
	}
	if s.peek() != '[' {
		return nil, nil, errPair
	}
	n := 0
	err = s.list(func() error {
		token, err := s.text()
		switch n++; n {
		case 1:
			left = token
		case 2:
			right = token
		default:
			return errPair
		}
		return err
	})
	if err == nil && n != 2 {
		err = errPair
	}
	return left, right, err
}

func hasSpace(text []byte) bool {
	for _, c := range text {
		if c == ' ' {
			return true
		}
	}
	return false
}

// spelledBytes appends what a token of the file stands for: GPT-2 spells every
// byte as a printable character, itself where it is one in Latin-1, else the next
// from U+0100 on. It reports whether the spelling uses these characters only.
func spelledBytes(dst, spelling []byte) ([]byte, bool) {
	for i := 0; i < len(spelling); {
		c := spelling[i]
		if '!' <= c && c <= '~' {
			dst = append(dst, c)
			i++
			continue
		}
		r, n := utf8.DecodeRune(spelling[i:])
		if int(r) >= len(byteOf) || byteOf[r] < 0 {
			return dst, false
		}
		dst = append(dst, byte(byteOf[r]))
		i += n
	}
	return dst, true
}

// byteOf is the byte that a character spells, or -1.
var byteOf = func() (table [324]int16) {
	for i := range table {
		table[i] = -1
	}
	next := 256
	for b := range 256 {
		if '!' <= b && b <= '~' || 0xA1 <= b && b <= 0xFF && b != 0xAD {
			table[b] = int16(b)
		} else {
			table[next] = int16(b)
			next++
		}
	}
	return table
}()
