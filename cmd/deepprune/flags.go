package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"deepprune/engine"
	"deepprune/kernels"
	"deepprune/kernels/cpu"
	"deepprune/prune"
)

// engineFlags choose the models, the device and the size of the engine.
type engineFlags struct {
	model, judge      string
	judgeSpec         string // a preset or a file
	dtype, judgeDType dtype
	device            string
	threads           int
	kernels           string
	slots             int
	kvMemory          size
	kvFlag            *pflag.Flag // --kv-memory; nil where there is none

	// loading returns what is told how much of a model is loaded, or is nil.
	loading func(what string) func(done, all int64)
}

func (f *engineFlags) add(flags *pflag.FlagSet) {
	f.kvMemory = 256 << 20
	flags.StringVar(&f.model, "model", "embedded", "reasoner: a checkpoint `folder` or .gguf file, embedded, or random:NAME for the shape of a known model with random weights")
	flags.StringVar(&f.judge, "judge", "embedded", "judge: a checkpoint `folder` or .gguf file, embedded, random:NAME, or none")
	flags.Var(&f.dtype, "dtype", "how the reasoner's weights are kept: "+autoOr(kernels.Formats())+"; auto is f32 for small models and bf16 for others (also --quant)")
	flags.Var(&f.dtype.kv, "kv-dtype", "how its keys and values are kept: "+autoOr(kernels.KVFormats()))
	f.addJudgeDType(flags)
	f.addDevice(flags)
	flags.IntVar(&f.slots, "slots", 64, "traces that decode at once; the others wait")
	flags.Var(&f.kvMemory, "kv-memory", "KV memory of reasoner and judge together, as 256MiB or 2GiB; on a GPU by default most of what the models leave")
	f.kvFlag = flags.Lookup("kv-memory")
}

// kvGiven reports whether the KV memory is not a default.
func (f *engineFlags) kvGiven() bool { return f.kvFlag == nil || f.kvFlag.Changed }

func (f *engineFlags) addJudgeDType(flags *pflag.FlagSet) {
	flags.SetNormalizeFunc(quantIsDType)
	flags.StringVar(&f.judgeSpec, "judge-spec", "", "how the judge is asked: a `file` like judge.json, or "+strings.Join(engine.JudgePresets(), " or ")+"; by default the judge.json in its folder")
	flags.Var(&f.judgeDType, "judge-dtype", "how the judge's weights are kept, as --dtype")
	flags.Var(&f.judgeDType.kv, "judge-kv-dtype", "how its keys and values are kept")
}

func (f *engineFlags) addDevice(flags *pflag.FlagSet) {
	flags.StringVar(&f.device, "device", "auto", "`device` to compute on: auto, cpu, or cuda")
	flags.IntVar(&f.threads, "threads", 0, "CPU threads; 0 takes all cores")
	flags.StringVar(&f.kernels, "kernels", "", "CPU kernel `set`; the best one the machine has by default (see deepprune info)")
}

func (f *engineFlags) check() error {
	switch {
	case f.device != "auto" && f.device != "cpu" && f.device != "cuda":
		return usagef("--device: %q is not auto, cpu or cuda", f.device)
	case f.threads < 0 || f.threads > 4096:
		return usagef("--threads: %d is not between 0 and 4096", f.threads)
	case f.kernels != "" && !slices.Contains(cpu.KernelSets(), f.kernels):
		return usagef("--kernels: this machine runs %s, not %q", strings.Join(cpu.KernelSets(), ", "), f.kernels)
	case f.slots < 1 || f.slots > maxTraces:
		return usagef("--slots: %d is not between 1 and %d", f.slots, maxTraces)
	case f.model == "":
		return usagef("--model: the folder has no name")
	case f.judge == "":
		return usagef("--judge: the folder has no name (use none for no judge)")
	}
	return nil
}

// maxTraces bounds k on the command line: what one would wait for.
const maxTraces = 8192

// requestFlags say how a question is answered.
type requestFlags struct {
	traces int
	seed   uint64
	policyFlags
	samplingFlags
}

func (f *requestFlags) add(flags *pflag.FlagSet) {
	flags.IntVarP(&f.traces, "traces", "k", 64, "traces of a question")
	f.policyFlags.add(flags)
	f.samplingFlags.add(flags)
}

// request checks the flags and makes a request of them, less the question. changed
// tells which flags were given: one left out means the checkpoint's default. The
// policy is made once more when the judge is known.
func (f *requestFlags) request(changed func(name string) bool) (engine.Request, error) {
	if f.traces < 1 || f.traces > maxTraces {
		return engine.Request{}, usagef("--traces: %d is not between 1 and %d", f.traces, maxTraces)
	}
	params, err := f.params(changed)
	if err != nil {
		return engine.Request{}, err
	}
	if err := f.policyFlags.check(f.traces, changed); err != nil {
		return engine.Request{}, err
	}
	policy, err := f.policy(prune.Options{})
	if err != nil {
		return engine.Request{}, err
	}
	return engine.Request{Traces: f.traces, Policy: policy, Params: params, Seed: f.seed}, nil
}

// samplingFlags say how a trace is decoded.
type samplingFlags struct {
	maxTokens   int
	temperature float64
	topP        float64
	topK        int
	minP        float64
	stop        []string
}

func (f *samplingFlags) add(flags *pflag.FlagSet) {
	flags.IntVar(&f.maxTokens, "max-tokens", 0, "longest trace, in tokens; 0 for what the context allows")
	flags.Float64Var(&f.temperature, "temperature", 0, "sampling temperature, 0 for greedy (default: the checkpoint's)")
	flags.Float64Var(&f.topP, "top-p", 0, "keep the likeliest tokens that reach this probability (default: the checkpoint's)")
	flags.IntVar(&f.topK, "top-k", 0, "keep this many likeliest tokens (default: the checkpoint's)")
	flags.Float64Var(&f.minP, "min-p", 0, "drop tokens less likely than this share of the likeliest")
	flags.StringArrayVar(&f.stop, "stop", nil, "end a trace at this `text`; may be repeated")
}

// params checks the flags. changed tells which were given.
func (f *samplingFlags) params(changed func(name string) bool) (engine.Params, error) {
	switch {
	case f.maxTokens < 0:
		return engine.Params{}, usagef("--max-tokens: %d is negative", f.maxTokens)
	case !(f.temperature >= 0 && f.temperature <= 100):
		return engine.Params{}, usagef("--temperature: %v is not between 0 and 100", f.temperature)
	case changed("top-p") && !(f.topP > 0 && f.topP <= 1):
		return engine.Params{}, usagef("--top-p: %v is not above 0 and at most 1", f.topP)
	case f.topK < 0 || f.topK > math.MaxInt32:
		return engine.Params{}, usagef("--top-k: %d is not a count", f.topK)
	case !(f.minP >= 0 && f.minP <= 1):
		return engine.Params{}, usagef("--min-p: %v is not between 0 and 1", f.minP)
	}
	for _, s := range f.stop {
		if s == "" {
			return engine.Params{}, usagef("--stop: the text is empty")
		}
	}
	params := engine.Params{
		Temperature: f.temperature, TopK: f.topK, TopP: f.topP, MinP: f.minP,
		MaxTokens: f.maxTokens, Stop: f.stop,
	}
	if changed("temperature") && f.temperature == 0 {
		params.Temperature = -1 // the engine's word for greedy
	}
	return params, nil
}

// size is a flag value in bytes, with a binary unit or none.
type size int64

// parseSize reads "1073741824", "1GiB", "1.5G" or "512 mb": all units are powers
// of 1024.
func parseSize(s string) (size, error) {
	number := strings.ToLower(strings.TrimSpace(s))
	number = strings.TrimSuffix(strings.TrimSuffix(number, "b"), "i")
	shift := 0
	if n := len(number); n > 0 {
		if i := strings.IndexByte("kmgt", number[n-1]); i >= 0 {
			shift, number = 10*(i+1), number[:n-1]
		}
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	v *= float64(int64(1) << shift)
	if err != nil || !(v >= 1 && v < math.MaxInt64) {
		return 0, fmt.Errorf("%q is not a size such as 256MiB", s)
	}
	return size(v), nil
}

func (s *size) Set(text string) (err error) {
	*s, err = parseSize(text)
	return err
}

func (s *size) Type() string { return "size" }

func (s *size) String() string {
	for i, unit := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if shift := 10 * (4 - i); *s > 0 && *s%(1<<shift) == 0 {
			return strconv.FormatInt(int64(*s>>shift), 10) + unit
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}
