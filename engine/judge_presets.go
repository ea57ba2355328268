package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"deepprune/model"
)

// presets are ways to ask judges that come without a judge.json.
var presets = map[string]JudgeSpec{
	"plain": DefaultJudgeSpec(),
	// DeepPrune-Judge-4B is made of Qwen3-4B-Instruct-2507. The prompt that it was
	// trained with is not published; this is a guess in its words (arXiv 2510.08483,
	// section 4.1), to be changed by whoever knows better.
	"deepprune-judge-4b": {
		Head: "Below are two unfinished reasoning traces for the same problem. Judge whether they will reach the same final answer." +
			"\n\n[Reasoning trace 1]\n",
		Mid:        "\n\n[Reasoning trace 2]\n",
		Tail:       "\n\nWill both traces end in the same final answer? Reply with Yes or No only.",
		Same:       "Yes",
		Different:  "No",
		Chat:       true,
		Checkpoint: JudgeCheckpoint{Words: 25},
		Threshold:  0.5,
	},
}

// JudgePresets lists the names that [JudgePreset] knows.
func JudgePresets() []string { return slices.Sorted(maps.Keys(presets)) }

// JudgePreset is a spec by its name.
func JudgePreset(name string) (JudgeSpec, bool) {
	s, ok := presets[name]
	return s, ok
}

// presetFor is the spec of a checkpoint without a judge.json: that of its own name,
// if there is one, or the plain one.
func presetFor(checkpoint string) JudgeSpec {
	name := strings.ToLower(path.Base(checkpoint))
	for preset, s := range presets {
		if strings.HasPrefix(name, preset) {
			return s
		}
	}
	return presets["plain"]
}

// ParseJudgeSpec reads a judge.json.
func ParseJudgeSpec(data []byte) (JudgeSpec, error) {
	var s JudgeSpec
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("engine: judge.json: %w", err)
	}
	return s, nil
}

// inChat is the spec with what a chat template puts around a message.
func (s JudgeSpec) inChat(chat *model.Chat) (JudgeSpec, error) {
	if chat == nil {
		return s, errors.New("chat: the judge has no chat template")
	}
	// A character that no template writes, and that stands for a prefix.
	const prefix = "\uE000"
	parts, err := chat.Parts(model.Conversation{
		Messages:            []model.Message{{Role: "user", Content: strings.Join([]string{s.Head, s.Mid, s.Tail}, prefix)}},
		AddGenerationPrompt: true,
	})
	if err != nil {
		return s, fmt.Errorf("chat: %w", err)
	}
	var text strings.Builder
	for _, p := range parts {
		text.WriteString(p.Text)
	}
	pieces := strings.Split(text.String(), prefix)
	if len(pieces) != 3 {
		return s, errors.New("chat: the template does not show a message as it is")
	}
	s.Head, s.Mid, s.Tail = pieces[0], pieces[1], pieces[2]
	return s, nil
}
