package cpu

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestGenerated: the assembly in the tree is what its generator writes.
func TestGenerated(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go tool")
	}
	generator, err := filepath.Abs("asm")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run := exec.Command(goTool, "run", filepath.Join(generator, "matmul.go"), filepath.Join(generator, "linear.go"), filepath.Join(generator, "linear_avx2.go"), filepath.Join(generator, "attention.go"))
	run.Dir = dir
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("go run %s: %v\n%s", generator, err, out)
	}
	for _, name := range []string{"matmul_avx512_amd64.s", "matmul_avx2_amd64.s", "linear_avx512_amd64.s", "linear_avx2_amd64.s", "attention_bf16_amd64.s", "limits_amd64.s"} {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the programs in asm write (%v): run go generate", name, err)
		}
	}
}
