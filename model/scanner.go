package model

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// scanner reads the two long lists of a tokenizer.json, several times faster than
// package encoding/json reads them into maps and slices. The data must be valid
// JSON, which encoding/json has checked; values of another kind than asked for
// are reported, not skipped.
type scanner struct {
	data []byte
	at   int
}

// peek skips space and separators and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\n', '\r', ',', ':':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// enter skips the bracket that opens a list or object.
func (s *scanner) enter(open byte) bool {
	if s.peek() != open {
		return false
	}
	s.at++
	return true
}

// more reports whether a list or object goes on, and skips the bracket that
// closes it if not.
func (s *scanner) more(closing byte) bool {
	c := s.peek()
	if c == closing {
		s.at++
	}
	return c != closing && c != 0
}

// text reads a string.
func (s *scanner) text() (string, bool) {
	if s.peek() != '"' {
		return "", false
	}
	begin := s.at + 1
	end, escaped := begin, false
	for s.data[end] != '"' {
		if s.data[end] == '\\' {
			escaped = true
			end++
		}
		end++
	}
	s.at = end + 1
	if plain := s.data[begin:end]; !escaped && utf8.Valid(plain) {
		return string(plain), true
	}
	var out string
	err := json.Unmarshal(s.data[begin-1:end+1], &out)
	return out, err == nil
}

// integer reads a whole number of 31 bits.
func (s *scanner) integer() (int64, bool) {
	s.peek()
	begin := s.at
	for s.at < len(s.data) && strings.IndexByte("+-.0123456789Ee", s.data[s.at]) >= 0 {
		s.at++
	}
	v, err := strconv.ParseInt(string(s.data[begin:s.at]), 10, 32)
	return v, err == nil
}

// pair reads "a b" or ["a", "b"].
func (s *scanner) pair() (left, right string, ok bool) {
	if s.peek() == '"' {
		both, _ := s.text()
		left, right, ok = strings.Cut(both, " ")
		return left, right, ok && left != "" && right != "" && !strings.Contains(right, " ")
	}
	if !s.enter('[') {
		return "", "", false
	}
	left, okLeft := s.text()
	right, okRight := s.text()
	return left, right, okLeft && okRight && !s.more(']')
}
