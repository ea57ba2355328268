package embedded

import (
	"io/fs"
	"slices"
	"testing"

	"deepprune/weights"
)

// TestFolders opens both checkpoints and holds them to what a binary may carry.
func TestFolders(t *testing.T) {
	const most = 16 << 20
	total := int64(0)
	for name, folder := range map[string]fs.FS{"reasoner": Reasoner(), "judge": Judge()} {
		c, err := weights.OpenFS(folder, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, tensor := range c.Names() {
			if _, err := c.Tensor(tensor); err != nil {
				t.Error(err)
			}
		}
		want := []string{"config.json", "generation_config.json", "judge.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
		entries, err := fs.ReadDir(folder, ".")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			total += info.Size()
			if !slices.Contains(want, e.Name()) {
				t.Errorf("%s: %s is no file of a checkpoint", name, e.Name())
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if total > most {
		t.Errorf("the pair has %d bytes; want at most %d", total, most)
	}
}
