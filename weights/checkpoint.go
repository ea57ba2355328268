// Package weights reads model checkpoints in the Hugging Face layout: a folder
// with config.json and one model.safetensors, or several shards listed by
// model.safetensors.index.json. A GGUF file is read as if it were the folder that
// it was made of.
//
// A [Checkpoint] is opened once; its [Tensor]s are views of the files, which are
// memory-mapped where the system can, so that opening costs the headers alone
// and a tensor is read from disk when its rows are.
//
// # Invariants
//
// Everything a file claims is checked by Open, before any tensor can be used:
// the tensors of a file lie in it one after the other, without overlap or hole
// and to its last byte, each as long as its type and shape say, and the index
// and its shards name the same tensors. A damaged or hostile file gives an error
// that names the file and the tensor; it never causes a panic, and the memory
// spent on it is a small multiple of its header. The one thing that cannot be
// checked is that nobody cuts a mapped file short later.
package weights

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"math/bits"
	"os"
	"path"
	"path/filepath"
	"slices"
	"unsafe"
)

const (
	singleFile = "model.safetensors"
	indexFile  = "model.safetensors.index.json"
	ggufExt    = ".gguf"

	// maxFile bounds what File and the index may take: the largest tokenizer.json
	// in use are about 30 MB.
	maxFile = 128 << 20
	// maxShards bounds the files that an index may open.
	maxShards = 4096
)

// ErrTensor is returned for a tensor that the checkpoint does not have.
var ErrTensor = errors.New("no such tensor")

// Checkpoint is an open checkpoint. Its methods may be called concurrently,
// Close excepted.
type Checkpoint struct {
	name      string
	fsys      fs.FS             // or nil
	files     map[string][]byte // that are not in fsys, see New
	tensors   map[string]*Tensor
	fileBytes int64
	mapped    []mapping
}

// Open opens the checkpoint in a folder, or a GGUF file; of one that is split, the
// first part, beside which the others lie. The files must not change until Close.
func Open(name string) (*Checkpoint, error) {
	if dir, file := filepath.Split(name); path.Ext(file) == ggufExt {
		return openFS(os.DirFS(filepath.Clean(dir)), name, file)
	}
	return OpenFS(os.DirFS(name), name)
}

// OpenFS opens the checkpoint at the root of fsys: a GGUF file if it is the only
// one, or all are parts of one, and there is no other checkpoint. Files of the
// operating system are memory-mapped, others are read whole. name says in errors
// where the files come from.
func OpenFS(fsys fs.FS, name string) (*Checkpoint, error) {
	gguf := ""
	if _, err := fs.Stat(fsys, singleFile); err != nil {
		if _, err := fs.Stat(fsys, indexFile); err != nil {
			if found, err := fs.Glob(fsys, "*"+ggufExt); err == nil {
				gguf = onlyGGUF(found)
			}
		}
	}
	return openFS(fsys, name, gguf)
}

// openFS opens the GGUF file of the given name, or a folder's safetensors.
func openFS(fsys fs.FS, name, gguf string) (*Checkpoint, error) {
	c := &Checkpoint{name: name, fsys: fsys, tensors: make(map[string]*Tensor)}
	_, err := fs.Stat(fsys, singleFile)
	switch {
	case gguf != "":
		err = c.openGGUF(gguf)
	case err == nil:
		err = c.openFile(singleFile)
	case errors.Is(err, fs.ErrNotExist):
		err = c.openShards()
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("weights: %w", err)
	}
	return c, nil
}

// Name is the name that the checkpoint was opened with.
func (c *Checkpoint) Name() string { return c.name }

// Names lists the tensors in order of name, those of unreadable types included.
func (c *Checkpoint) Names() []string { return slices.Sorted(maps.Keys(c.tensors)) }

// Tensor finds a tensor by name. The error wraps [ErrTensor] if there is none,
// and [ErrDType] if its numbers are of a type that Row cannot read.
func (c *Checkpoint) Tensor(name string) (*Tensor, error) {
	t, ok := c.tensors[name]
	if !ok {
		return nil, fmt.Errorf("weights: %s: tensor %q: %w", c.name, name, ErrTensor)
	}
	if !t.readable() {
		return nil, fmt.Errorf("weights: %s: tensor %q: %w %q", c.path(t.file), name, ErrDType, t.DType)
	}
	return t, nil
}

// File reads another file of the checkpoint's folder, config.json say. The error
// wraps fs.ErrNotExist if there is none.
func (c *Checkpoint) File(name string) ([]byte, error) {
	data, err := c.readFile(name)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	return data, nil
}

// Parameters counts the numbers in the tensors of each type.
func (c *Checkpoint) Parameters() map[DType]int64 {
	counts := make(map[DType]int64)
	for _, t := range c.tensors {
		n := int64(1)
		for _, d := range t.Shape {
			// The shape of a type that is not known was not compared with its bytes.
			if hi, lo := bits.Mul64(uint64(n), uint64(d)); hi == 0 && lo <= math.MaxInt64 {
				n = int64(lo)
			} else {
				n = math.MaxInt64
			}
		}
		counts[t.DType] += min(n, math.MaxInt64-counts[t.DType])
	}
	return counts
}

// FileBytes is the size of the files that hold the tensors.
func (c *Checkpoint) FileBytes() int64 { return c.fileBytes }

// Close unmaps the files. No tensor may be used afterwards.
func (c *Checkpoint) Close() error {
	var errs []error
	for _, m := range c.mapped {
		if m.free != nil {
			errs = append(errs, m.free())
		}
	}
	c.mapped, c.tensors = nil, nil
	return errors.Join(errs...)
}

// path is how messages name a file of the checkpoint.
func (c *Checkpoint) path(file string) string {
	if path.Base(c.name) == file {
		return c.name
	}
	return path.Join(c.name, file)
}

// openShards opens the files that the index names and compares what it promises
// with what they hold.
func (c *Checkpoint) openShards() error {
	data, err := c.readFile(indexFile)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: neither %s nor %s: %w", c.name, singleFile, indexFile, fs.ErrNotExist)
	}
	if err != nil {
		return err
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return fmt.Errorf("%s: %w", c.path(indexFile), err)
	}
	if len(index.WeightMap) == 0 {
		return fmt.Errorf("%s: weight_map: names no tensor", c.path(indexFile))
	}
	shards := slices.Compact(slices.Sorted(maps.Values(index.WeightMap)))
	if len(shards) > maxShards {
		return fmt.Errorf("%s: weight_map: %d shards, at most %d are allowed", c.path(indexFile), len(shards), maxShards)
	}
	for _, shard := range shards {
		// A shard lies beside its index; a name that leads elsewhere is an attack.
		if !fs.ValidPath(shard) || path.Base(shard) != shard || shard == "." {
			return fmt.Errorf("%s: weight_map: %q is not the name of a file beside it", c.path(indexFile), shard)
		}
		if err := c.openFile(shard); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(index.WeightMap)) {
		shard := index.WeightMap[name]
		if t, ok := c.tensors[name]; !ok || t.file != shard {
			return fmt.Errorf("%s: tensor %q: listed in %s, but not in the file", c.path(shard), name, indexFile)
		}
	}
	for _, name := range c.Names() {
		if _, ok := index.WeightMap[name]; !ok {
			return fmt.Errorf("%s: tensor %q: not listed in %s", c.path(c.tensors[name].file), name, indexFile)
		}
	}
	return nil
}

// openFile maps a safetensors file and adds its tensors.
func (c *Checkpoint) openFile(name string) error {
	data, err := c.mapFile(name)
	if err != nil {
		return err
	}
	tensors, err := parseSafetensors(data)
	if err != nil {
		return fmt.Errorf("%s: %w", c.path(name), err)
	}
	return c.add(name, tensors)
}

// mapFile maps a file of tensors, which is longer than any header.
func (c *Checkpoint) mapFile(name string) ([]byte, error) {
	f, size, err := c.openRegular(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > math.MaxInt {
		return nil, fmt.Errorf("%s: %d bytes do not fit the address space", c.path(name), size)
	}
	if size < headerAt {
		return nil, fmt.Errorf("%s: %d bytes, too short for a file of tensors", c.path(name), size)
	}
	m, err := mapFile(f, int(size))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.path(name), err)
	}
	c.mapped = append(c.mapped, m)
	c.fileBytes += size
	return m.data, nil
}

// mapping is a file in memory.
type mapping struct {
	data []byte
	free func() error // nil: the garbage collector does
	// forget takes n bytes at an offset out of the memory until they are read again;
	// nil: they are nowhere else.
	forget func(at, n int)
}

// Forget tells the system that a tensor's rows are not needed again soon, so that
// they take no memory beside what was made of them.
func (c *Checkpoint) Forget(t *Tensor) {
	for _, s := range t.sources {
		c.Forget(s)
	}
	for _, m := range c.mapped {
		if m.forget == nil || len(t.data) == 0 {
			continue
		}
		base := uintptr(unsafe.Pointer(unsafe.SliceData(m.data)))
		at := uintptr(unsafe.Pointer(unsafe.SliceData(t.data)))
		if at >= base && at < base+uintptr(len(m.data)) {
			m.forget(int(at-base), len(t.data))
		}
	}
}

// add adds the tensors of a file.
func (c *Checkpoint) add(name string, tensors []*Tensor) error {
	for _, t := range tensors {
		if other, ok := c.tensors[t.Name]; ok {
			return fmt.Errorf("%s: tensor %q: also in %s", c.path(name), t.Name, other.file)
		}
		t.file = name
		c.tensors[t.Name] = t
	}
	return nil
}

func (c *Checkpoint) readFile(name string) ([]byte, error) {
	if data, ok := c.files[name]; ok {
		return data, nil
	}
	if c.fsys == nil {
		return nil, fmt.Errorf("%s: %w", c.path(name), fs.ErrNotExist)
	}
	f, size, err := c.openRegular(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > maxFile {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are allowed", c.path(name), size, maxFile)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("%s: %w", c.path(name), err)
	}
	return data, nil
}

// openRegular opens a file that is neither a folder nor a device or pipe, which
// could block or never end.
func (c *Checkpoint) openRegular(name string) (fs.File, int64, error) {
	info, err := fs.Stat(c.fsys, name)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	var f fs.File
	if err == nil {
		f, err = c.fsys.Open(name)
	}
	if err == nil {
		if info, err = f.Stat(); err != nil {
			f.Close()
		}
	}
	if err != nil {
		// Messages name the file in full already.
		if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		return nil, 0, fmt.Errorf("%s: %w", c.path(name), err)
	}
	return f, info.Size(), nil
}

// readAll is mapFile for files that cannot be mapped.
func readAll(r io.Reader, size int) (mapping, error) {
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return mapping{}, err
	}
	return mapping{data: data}, nil
}
