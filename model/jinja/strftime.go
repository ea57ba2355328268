package jinja

import (
	"fmt"
	"strings"
	"time"
)

// strftime is Python's datetime.strftime in the C locale, for a time without a
// zone.
func strftime(t time.Time, format Text, b *builder) {
	s := format.s
	for at := 0; ; {
		n := strings.IndexByte(s[at:], '%')
		if n < 0 || at+n+1 == len(s) {
			b.add(format.cut(at, len(s)))
			return
		}
		b.add(format.cut(at, at+n))
		at += n + 1
		pad := "0"
		if s[at] == '-' && at+1 < len(s) {
			pad = ""
			at++
		}
		text, ok := timeField(t, s[at], pad)
		if !ok {
			fail("%%%c is no part of a time", s[at])
		}
		b.own(text)
		at++
	}
}

func timeField(t time.Time, verb byte, pad string) (string, bool) {
	number := func(n, width int) string {
		if pad == "" {
			return fmt.Sprint(n)
		}
		return fmt.Sprintf("%0*d", width, n)
	}
	hour12 := (t.Hour()+11)%12 + 1
	switch verb {
	case 'a', 'A', 'b', 'B', 'h', 'p':
		return t.Format(map[byte]string{'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January", 'p': "PM"}[verb]), true
	case 'c':
		return t.Format("Mon Jan _2 15:04:05 2006"), true
	case 'D', 'x':
		return t.Format("01/02/06"), true
	case 'F':
		return t.Format("2006-01-02"), true
	case 'T', 'X':
		return t.Format("15:04:05"), true
	case 'R':
		return t.Format("15:04"), true
	case 'd':
		return number(t.Day(), 2), true
	case 'e':
		return t.Format("_2"), true
	case 'm':
		return number(int(t.Month()), 2), true
	case 'y':
		return number(t.Year()%100, 2), true
	case 'Y':
		return number(t.Year(), 4), true
	case 'H':
		return number(t.Hour(), 2), true
	case 'I':
		return number(hour12, 2), true
	case 'M':
		return number(t.Minute(), 2), true
	case 'S':
		return number(t.Second(), 2), true
	case 'f':
		return fmt.Sprintf("%06d", t.Nanosecond()/1000), true
	case 'j':
		return number(t.YearDay(), 3), true
	case 'w':
		return fmt.Sprint(int(t.Weekday())), true
	case 'u':
		return fmt.Sprint((int(t.Weekday())+6)%7 + 1), true
	case 'z', 'Z':
		return "", true
	case 'n':
		return "\n", true
	case 't':
		return "\t", true
	case '%':
		return "%", true
	}
	return "", false
}
