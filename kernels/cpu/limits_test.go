package cpu

import (
	"testing"

	"deepprune/kernels"
)

func TestLimits(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	for _, name := range []string{KernelSets()[0], "go"} {
		l, err := MeasureLimits(Options{Kernels: name, Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: read %.1f GB/s, f32 %.0f, bf16 %.0f, int8 %.0f, int4 %.0f G/s", name, l.ReadBytes/1e9,
			l.Operations[kernels.F32]/1e9, l.Operations[kernels.BF16]/1e9, l.Operations[kernels.Int8]/1e9, l.Operations[kernels.Int4]/1e9)
		if name != "go" && !(l.ReadBytes > 1e8 && l.Operations[kernels.F32] > 1e9) {
			t.Errorf("%s: limits are %+v", name, l)
		}
	}
}
