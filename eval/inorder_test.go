package eval

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"
)

func TestInOrder(t *testing.T) {
	for _, limit := range []int{0, 1, 3, 100} {
		var running, most atomic.Int32
		next := 0
		err := InOrder(context.Background(), 60, limit, func(i int) int {
			now := running.Add(1)
			for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
			}
			time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
			running.Add(-1)
			return i * i
		}, func(i, v int) error {
			if i != next || v != i*i {
				t.Errorf("limit %d: result %d is %d; want %d", limit, i, v, next)
			}
			next++
			return nil
		})
		if err != nil || next != 60 {
			t.Errorf("limit %d: %d results, %v", limit, next, err)
		}
		if m := int(most.Load()); m > max(1, limit) {
			t.Errorf("limit %d: %d at a time", limit, m)
		}
	}
}

// TestInOrderStops: what was begun is waited for, and all of it is emitted.
func TestInOrderStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var begun atomic.Int32
	emitted := 0
	err := InOrder(ctx, 1000, 4, func(i int) int {
		if begun.Add(1); i == 10 {
			cancel()
		}
		time.Sleep(time.Millisecond)
		return i
	}, func(i, _ int) error { emitted++; return nil })
	if err != nil || emitted != int(begun.Load()) || emitted > 16 {
		t.Errorf("%d of %d begun were emitted, %v", emitted, begun.Load(), err)
	}
	broken := errors.New("disk full")
	emitted = 0
	err = InOrder(context.Background(), 1000, 4, func(i int) int { return i }, func(i, _ int) error {
		if emitted++; i == 5 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) || emitted != 6 {
		t.Errorf("%v after %d results; want %v after 6", err, emitted, broken)
	}
}
