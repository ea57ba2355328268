//go:build !amd64

package cpu

import "runtime"

func sets() []*set { return []*set{plain} }

func processorName() string { return runtime.GOARCH }

// pause waits for n times the least time worth waiting.
//
//go:noinline
func pause(n int) {
	for range n * 16 {
	}
}
