package model

import "fmt"

// Generation is how the makers of a checkpoint want it sampled, read from
// generation_config.json. A field is 0 where they do not say.
type Generation struct {
	Temperature float64
	TopK        int
	TopP        float64
	MinP        float64
	// RepetitionPenalty is that of Hugging Face's generation, 1 for none.
	RepetitionPenalty float64
	// EOS are the tokens that end a text, those of config.json included.
	EOS []int32
}

// ParseGeneration reads a generation_config.json. Errors name the field.
func ParseGeneration(data []byte) (Generation, error) {
	var file struct {
		Temperature float64  `json:"temperature"`
		TopK        int      `json:"top_k"`
		TopP        float64  `json:"top_p"`
		MinP        float64  `json:"min_p"`
		Repetition  float64  `json:"repetition_penalty"`
		EOS         tokenIDs `json:"eos_token_id"`
	}
	if err := decodeJSON(data, &file); err != nil {
		return Generation{}, fmt.Errorf("generation_config.json: %w", err)
	}
	g := Generation{file.Temperature, file.TopK, file.TopP, file.MinP, file.Repetition, file.EOS}
	for _, field := range []struct {
		name         string
		value, limit float64
	}{
		{"temperature", g.Temperature, 100},
		{"top_k", float64(g.TopK), maxVocab},
		{"top_p", g.TopP, 1},
		{"min_p", g.MinP, 1},
		{"repetition_penalty", g.RepetitionPenalty, 100},
	} {
		if !(field.value >= 0 && field.value <= field.limit) {
			return g, fmt.Errorf("generation_config.json: %s: %v is not between 0 and %v", field.name, field.value, field.limit)
		}
	}
	return g, nil
}
