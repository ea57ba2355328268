package browsertest

import (
	"fmt"
	"strings"
)

// manyLanes is a journal of k traces that grow for so many steps; three quarters of
// them are pruned a third of the way, a few at each step.
func manyLanes(k, steps int) string {
	var b strings.Builder
	b.WriteString(`{"schema":1,"kind":"header","model":"m","block_bytes":1024}` + "\n")
	fmt.Fprintf(&b, `{"kind":"submitted","step":0,"nanos":0,"group":1,"question":"Many?","prompt":[1],"k":%d,"seed":1,"policy":"deepprune","settings":{"threshold":0.5},"params":{}}`+"\n", k)
	for i := range k {
		fmt.Fprintf(&b, `{"kind":"started","step":1,"nanos":1,"group":1,"trace":%d}`+"\n", i)
	}
	gone := make([]bool, k)
	next := 0
	for s := 1; s <= steps; s++ {
		nanos := s * 5_000_000
		var alive []int
		for i := range k {
			if !gone[i] {
				alive = append(alive, i)
			}
		}
		b.WriteString(strings.Replace(step(s, alive...), fmt.Sprintf(`"nanos":%d`, (10+s)*1_000_000), fmt.Sprintf(`"nanos":%d`, nanos), 1) + "\n")
		for n := 0; s > steps/3 && n < 1+k/32 && next < k; next++ {
			if next%4 == 0 {
				continue
			}
			n++
			gone[next] = true
			fmt.Fprintf(&b, `{"kind":"judged","step":%d,"nanos":%d,"group":1,"trace":%d,"keeper":%d,"score":0.8}`+"\n", s, nanos, next, next%4*8%next)
			fmt.Fprintf(&b, `{"kind":"pruned","step":%d,"nanos":%d,"group":1,"trace":%d,"tokens":%d,"keeper":%d,"score":0.8,"reason":"same answer","blocks":1,"bytes":1024}`+"\n", s, nanos, next, s, next%4*8%next)
		}
	}
	for i := range k {
		if !gone[i] {
			fmt.Fprintf(&b, `{"kind":"ended","step":%d,"nanos":%d,"group":1,"trace":%d,"tokens":%d,"state":"finished","answer":"%d","blocks":1}`+"\n", steps, steps*5_000_000, i, steps, i%3)
		}
	}
	fmt.Fprintf(&b, `{"kind":"done","step":%d,"nanos":%d,"group":1}`+"\n", steps, steps*5_000_000)
	return b.String()
}
