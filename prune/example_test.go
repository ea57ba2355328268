package prune_test

import (
	"fmt"

	"deepprune/prune"
)

func ExampleExtract() {
	fmt.Println(prune.Extract(`so 3/4 of 1,600. The answer is \boxed{1{,}200 \text{ apples}}.`))
	fmt.Println(prune.Extract("Thus the answer is (B)."))
	fmt.Println(prune.Extract("That gives 12.50 in all"))
	// Output:
	// 1200 boxed
	// B phrase
	// 12.5 number
}

func ExampleTally() {
	traces := []prune.Trace{{Answer: "7"}, {Answer: "8"}, {Answer: "7"}}
	for _, v := range prune.Tally([]prune.Ballot{{Trace: 0, Weight: 1}, {Trace: 1, Weight: 5}, {Trace: 2, Weight: 1}}, traces) {
		fmt.Println(v.Answer, v.Weight, v.Traces)
	}
	// Output:
	// 8 5 [1]
	// 7 2 [0 2]
}

func ExampleByName() {
	p, err := prune.ByName("deepprune", prune.Options{Checkpoint: prune.Checkpoint{Tokens: 64}})
	fmt.Println(p.Name(), p.NeedsJudge(), err)
	_, err = prune.ByName("deepprune", prune.Options{Threshold: 2})
	fmt.Println(err)
	// Output:
	// deepprune true <nil>
	// policy deepprune: invalid option: threshold: 2 is not between 0 and 1
}
