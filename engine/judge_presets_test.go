package engine

import (
	"strings"
	"testing"

	"deepprune/kernels/cpu"
	"deepprune/model"
)

func TestJudgePresets(t *testing.T) {
	for _, name := range JudgePresets() {
		s, ok := JudgePreset(name)
		if !ok || s.Same == "" || s.Different == "" || s.Tail == "" || s.Checkpoint.Words != 25 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if _, ok := JudgePreset("other"); ok {
		t.Error("there is a preset of any name")
	}
	for name, chat := range map[string]bool{"/models/DeepPrune-Judge-4B": true, "deepprune-judge-4b-Q8_0.gguf": true, "/models/Qwen3-4B": false} {
		if got := presetFor(name); got.Chat != chat {
			t.Errorf("%s is asked in its chat template: %v; want %v", name, got.Chat, chat)
		}
	}
}

// TestJudgeInChat checks that the prompt is a message of the judge's own template.
func TestJudgeInChat(t *testing.T) {
	chat, err := model.ParseChat("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
	if err != nil {
		t.Fatal(err)
	}
	spec, _ := JudgePreset("deepprune-judge-4b")
	got, err := spec.inChat(chat)
	if err != nil {
		t.Fatal(err)
	}
	if want := "<|im_start|>user\n" + spec.Head; got.Head != want {
		t.Errorf("head %q; want %q", got.Head, want)
	}
	if got.Mid != spec.Mid {
		t.Errorf("mid %q; want %q", got.Mid, spec.Mid)
	}
	if want := spec.Tail + "<|im_end|>\n<|im_start|>assistant\n"; got.Tail != want {
		t.Errorf("tail %q; want %q", got.Tail, want)
	}
	for _, refused := range []struct{ template, want string }{
		{"{{ messages[0].content|upper }}{{ messages[0].content }}", "does not show a message as it is"},
		{"{{ raise_exception('no users') }}", "no users"},
	} {
		chat, err := model.ParseChat(refused.template)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := spec.inChat(chat); err == nil || !strings.Contains(err.Error(), refused.want) {
			t.Errorf("%s: %v; want %s", refused.template, err, refused.want)
		}
	}
	if _, err := spec.inChat(nil); err == nil {
		t.Error("a judge without a template was asked in it")
	}
}

// TestNewJudgeInChat makes a judge whose template adds nothing.
func TestNewJudgeInChat(t *testing.T) {
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	c, err := model.Synthetic("tiny")
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Load(dev, c, model.Options{MaxContext: 64})
	if err != nil {
		t.Fatal(err)
	}
	spec, err := ParseJudgeSpec([]byte(`{"head":"a","mid":"b","tail":"c","same":"y","different":"n","chat":true}`))
	if err != nil {
		t.Fatal(err)
	}
	j, err := NewJudgeWith(m, spec)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Tokenizer.Decode(append(j.keeperTokens("K"), j.traceTokens("T")...)); got != "aKbTc" {
		t.Errorf("prompt %q; want %q", got, "aKbTc")
	}
}
