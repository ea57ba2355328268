//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package live

import "os"

// Quiet has nothing to do: the terminal writes what is typed only while somebody
// reads it.
func Quiet(*os.File) (restore func()) { return func() {} }
