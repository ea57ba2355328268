package eval

import (
	"context"
	"sync"
)

// InOrder calls run(i) for i from 0 to n-1, up to limit of them at a time, and
// emit with each result in order of i, one call at a time. When ctx ends no more
// are begun, and those under way are waited for, so what was emitted is always the
// results of 0 to some i. The first error of emit ends it in the same way and is
// returned.
func InOrder[T any](ctx context.Context, n, limit int, run func(i int) T, emit func(i int, result T) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		i     int
		value T
	}
	var (
		results = make(chan result)
		slots   = make(chan struct{}, max(1, limit))
		workers sync.WaitGroup
	)
	go func() {
		defer close(results)
		defer workers.Wait()
		for i := range n {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			if ctx.Err() != nil {
				return
			}
			workers.Go(func() {
				value := run(i)
				<-slots
				results <- result{i, value}
			})
		}
	}()
	var (
		next  int
		early = make(map[int]T)
		err   error
	)
	for r := range results {
		early[r.i] = r.value
		for err == nil {
			value, ok := early[next]
			if !ok {
				break
			}
			delete(early, next)
			if err = emit(next, value); err != nil {
				cancel()
			}
			next++
		}
	}
	return err
}
