package main

import (
	"fmt"
	"os"
	"time"

	"github.com/charmbracelet/x/term"
)

// loading returns what shows on standard error how much of a model is loaded, nil
// where that is no terminal: a line that goes away again, and does not appear for a
// model that loads at once.
func (a *app) loading(what string) func(done, all int64) {
	f, ok := a.stderr.(*os.File)
	if !ok || !term.IsTerminal(f.Fd()) {
		return nil
	}
	const interval = 100 * time.Millisecond
	shown, visible := time.Now(), false
	return func(done, all int64) {
		switch now := time.Now(); {
		case done >= all && visible:
			fmt.Fprint(f, "\r\x1b[K")
		case done < all && now.Sub(shown) >= interval:
			fmt.Fprintf(f, "\rloading %s … %d%%\x1b[K", what, 100*done/all)
			shown, visible = now, true
		}
	}
}
