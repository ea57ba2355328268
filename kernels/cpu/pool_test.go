package cpu

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"
)

// counts is a job that counts how often each chunk ran.
type counts struct {
	ran  []atomic.Int32
	work int
}

func (j *counts) chunk(_ *worker, i int) {
	pause(1 + j.work*i%7)
	j.ran[i].Add(1)
}

// TestPool runs jobs in quick succession and after rests in which the workers
// fall asleep; every chunk must run once, and before run returns.
func TestPool(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 7, 20} {
		p := newPool(threads)
		for n := range 3000 {
			j := &counts{ran: make([]atomic.Int32, rand.IntN(3*threads)), work: n % 3 * 20}
			p.run(j, len(j.ran))
			for i := range j.ran {
				if ran := j.ran[i].Load(); ran != 1 {
					t.Fatalf("%d threads, job %d: chunk %d of %d ran %d times", threads, n, i, len(j.ran), ran)
				}
			}
			if n%300 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		p.close()
		p.close()
	}
}

// TestPoolCloses closes pools whose workers spin, sleep, or are about to.
func TestPoolCloses(t *testing.T) {
	for n := range 300 {
		p := newPool(1 + n%5)
		p.run(&counts{ran: make([]atomic.Int32, 8)}, 8)
		if n%3 == 0 {
			time.Sleep(time.Duration(rand.IntN(500)) * time.Microsecond)
		}
		p.close()
	}
}

type nothing struct{}

func (nothing) chunk(*worker, int) {}

func BenchmarkPool(b *testing.B) {
	for _, chunks := range []int{1, 2, 8} {
		b.Run(string(rune('0'+chunks))+" chunks", func(b *testing.B) {
			p := newPool(2)
			defer p.close()
			j := &nothing{}
			for b.Loop() {
				p.run(j, chunks)
			}
		})
	}
}
