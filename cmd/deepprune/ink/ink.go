// Package ink colours text for a terminal. Colours are of the full range; whoever
// writes them brings them down to what the terminal shows, or strips them.
package ink

import "fmt"

// Ink is an SGR sequence that colours what follows it. Inks may be joined.
type Ink string

const (
	Plain Ink = ""
	Bold  Ink = "\x1b[1m"
	Faint Ink = "\x1b[2m"
	reset     = "\x1b[0m"
)

// Write is text in an ink.
func (i Ink) Write(text string) string {
	if i == Plain || text == "" {
		return text
	}
	return string(i) + text + reset
}

// rgb is a foreground colour.
func rgb(hex uint32) Ink {
	return Ink(fmt.Sprintf("\x1b[38;2;%d;%d;%dm", hex>>16&255, hex>>8&255, hex&255))
}

// Colours that read on dark and on light backgrounds.
var (
	Accent  = rgb(0x4E9AF1) // the reasoner
	Violet  = rgb(0xA778E8) // the judge
	Green   = rgb(0x4FA95B) // what came back
	Amber   = rgb(0xD9A021) // what waits
	Red     = rgb(0xE15759) // what went wrong
	Neutral = rgb(0x8492A6) // traces without a cluster
	Track   = rgb(0x5B6472) // empty part of a meter
)

// palette are the hues of clusters, neighbours far apart; stopped holds the same
// hues turned to grey, for the lanes of stopped traces.
var palette, stopped = func() (p, s []Ink) {
	for _, hex := range []uint32{
		0x4E9AF1, 0xF28E2B, 0x59B35F, 0xE15759, 0xB07AE0, 0x35B5AC,
		0xE0B028, 0xF06FA7, 0xA0785A, 0x86B83E, 0x6C78EA, 0xC95FC0,
	} {
		p = append(p, rgb(hex))
		grey := uint32(0)
		for shift := 0; shift < 24; shift += 8 {
			c := (62*(hex>>shift&255) + 38*0x70) / 100
			grey |= c << shift
		}
		s = append(s, rgb(grey))
	}
	return p, s
}()

// Hue is the ink of a cluster, -1 for a trace that has none.
func Hue(hue int, alive bool) Ink {
	switch {
	case hue < 0 && alive:
		return Neutral
	case hue < 0:
		return Track
	case alive:
		return palette[hue%len(palette)]
	}
	return stopped[hue%len(stopped)]
}
