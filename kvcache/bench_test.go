package kvcache

import "testing"

func benchPool(b *testing.B, blocks int) *Pool {
	b.Helper()
	a, err := NewArena(64, (blocks+63)/64)
	if err != nil {
		b.Fatal(err)
	}
	p, err := a.NewPool(1)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// BenchmarkDecodeStep extends 64 traces by one token; every sixteenth step takes
// a block for each. The time is that of one trace in one step.
func BenchmarkDecodeStep(b *testing.B) {
	p := benchPool(b, 64*1024)
	traces := make([]*Sequence, 64)
	for i := range traces {
		traces[i] = p.NewSequence()
	}
	b.ReportAllocs()
	for i := 0; i < b.N; {
		for j, s := range traces {
			if s.Len() == 8192 {
				s.Release()
				s = p.NewSequence()
				traces[j] = s
			}
			if _, err := s.Extend(1, nil); err != nil {
				b.Fatal(err)
			}
		}
		i += len(traces)
	}
}

// BenchmarkForkWriteRelease is the life of a trace that is pruned at once: fork a
// prompt of 1,000 tokens, copy its tail, write 256 tokens, give all back.
func BenchmarkForkWriteRelease(b *testing.B) {
	p := benchPool(b, 256)
	prompt := grow(b, p, 1000)
	var copies []Copy
	b.ReportAllocs()
	for b.Loop() {
		s := prompt.Fork()
		var err error
		if copies, err = s.Extend(256, copies[:0]); err != nil {
			b.Fatal(err)
		}
		s.Release()
	}
}

// BenchmarkMatch finds a cached prompt of 1,024 tokens and gives it back.
func BenchmarkMatch(b *testing.B) {
	p := benchPool(b, 256)
	tokens := story(0, 0, 1025)
	s := grow(b, p, 1024)
	s.Publish(tokens[:1024])
	s.Release()
	b.ReportAllocs()
	for b.Loop() {
		s := p.NewSequence()
		if s.Match(tokens) != 1024 {
			b.Fatal("not found")
		}
		s.Release()
	}
}

// BenchmarkPublishEvict fills a pool that is full of cached prefixes with new
// ones of 1,024 tokens.
func BenchmarkPublishEvict(b *testing.B) {
	p := benchPool(b, 1024)
	tokens := story(0, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		tokens[0]++
		s := grow(b, p, 1024)
		s.Publish(tokens)
		s.Release()
	}
}

// BenchmarkAvailable is asked for each row that is planned.
func BenchmarkAvailable(b *testing.B) {
	p := benchPool(b, 1024)
	if _, err := p.arena.NewPool(3); err != nil {
		b.Fatal(err)
	}
	grow(b, p, 100)
	for b.Loop() {
		if p.Available() == 0 {
			b.Fatal("nothing available")
		}
	}
}
