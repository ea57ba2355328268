package main

import (
	"context"
	"fmt"
)

// twoStops gives two contexts: soft ends at the first interrupt, with a word on
// standard error, hard at the second; a third ends the process. stop must be
// called when both are done with.
func (a *app) twoStops(word string) (soft, hard context.Context, stop func()) {
	signals, ignore := a.interrupts()
	soft, endSoft := context.WithCancel(context.Background())
	hard, endHard := context.WithCancel(context.Background())
	go func() {
		for _, end := range []func(){func() {
			fmt.Fprintln(a.stderr, "\n"+word)
			endSoft()
		}, endHard} {
			select {
			case <-signals:
				end()
			case <-hard.Done():
			}
		}
		ignore()
	}()
	return soft, hard, func() {
		endSoft()
		endHard()
	}
}
